import { Fault } from '../../../base/fault.ts';
import { type Certificate, octetText, readCertificate } from '../../../x509/certificate.ts';
import { commonName } from '../../../x509/name.ts';
import { denied, failed, invalidRequest } from '../../faults.ts';
import { defineRoute } from '../../routing/define-route.ts';
import type { RequestOrigin, Route } from '../../routing/route.ts';
import { isWithin } from '../../token/bound-cidrs.ts';
import type { RenewalTerms } from '../../token/renewal.ts';
import type { Token } from '../../token/token.ts';
import { type LoginDesk, type LoginGrant, renewalTerms } from '../login.ts';
import { namedRole, type RolesContext } from '../named-roles.ts';
import { cleanPolicies } from '../token-settings.ts';
import { type CertRole, certRole } from './cert-role.ts';
import { judgeCertificate, type RevokedSerials, type ShownChain, type TrustedRole } from './cert-verdict.ts';
import { decimal } from './crl-routes.ts';
import { extensionText } from './extension-text.ts';

/** What clients are judged by, read once for all logins until it changes. */
export interface Trust {
  roles: readonly TrustedRole[];
  revoked: RevokedSerials;
}

export interface CertConfig {
  disable_binding: boolean;
  enable_identity_alias_metadata: boolean;
}

export interface CertContext extends RolesContext {
  desk: LoginDesk;
  nowMs: () => number;
  trust: () => Trust;
}

const configKey = 'config';

export const configRoutes: readonly Route<CertContext>[] = [
  defineRoute('config', {
    fields: { disable_binding: 'boolean', enable_identity_alias_metadata: 'boolean' },
    on: {
      read: async ({ store }) => ({ data: { ...(await readConfig(store)) } }),
      update: async ({ store }, { fields }) => {
        const config: CertConfig = {
          disable_binding: fields.disable_binding ?? false,
          enable_identity_alias_metadata: fields.enable_identity_alias_metadata ?? false,
        };
        await store.change(async (work) => work.put(configKey, config));
        return undefined;
      },
    },
  }),
];

async function readConfig(store: RolesContext['store']): Promise<CertConfig> {
  const kept = await store.get<CertConfig>(configKey);
  return kept ?? { disable_binding: false, enable_identity_alias_metadata: false };
}

export const loginRoutes: readonly Route<CertContext>[] = [
  defineRoute('login', {
    fields: { name: 'text' },
    open: true,
    on: {
      update: async (context, { fields, path, origin }) => {
        const shown = readShown(origin);
        const role = judge(context, shown, fields.name ?? '');
        if (role.token_bound_cidrs.length > 0 && !isWithin(role.token_bound_cidrs, origin.remoteAddress)) {
          throw denied('permission denied');
        }
        return context.desk(grantOf(role, shown.leaf), { mount: context.mount(), path });
      },
    },
  }),
];

/** @throws Fault `vault.request.invalid` where the client has shown none, or what cannot be read */
function readShown({ peerCertificates }: RequestOrigin): ShownChain {
  if (peerCertificates.length === 0) throw invalidRequest('no client certificate found');
  try {
    const [leaf, ...intermediates] = peerCertificates.map(readCertificate);
    void [leaf!.isCa, leaf!.subjectAltNames, leaf!.subjectKeyId, leaf!.authorityKeyId];
    return { leaf: leaf!, intermediates };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw invalidRequest('invalid certificate or no client certificate supplied', error);
  }
}

/** The role by whose trust the certificate is good; with a name only that one is asked. */
function judge({ trust, nowMs }: CertContext, shown: ShownChain, name: string): CertRole {
  const { roles, revoked } = trust();
  const asked = name === '' ? roles : roles.filter(({ role }) => role.name === name.toLowerCase());
  const verdict = judgeCertificate(shown, { roles: asked, revoked, atMs: nowMs() });
  if ('refusal' in verdict) throw invalidRequest(verdict.refusal);
  return verdict.role;
}

function grantOf(role: CertRole, leaf: Certificate): LoginGrant {
  const id = (bytes: Buffer | undefined) => (bytes ? octetText(bytes) : '');
  const extensions = role.allowed_metadata_extensions.flatMap((oid) => {
    const text = extensionText(leaf, oid);
    return text === undefined ? [] : [[oid.replaceAll('.', '-'), text]];
  });
  return {
    displayName: role.display_name,
    metadata: {
      ...(Object.fromEntries(extensions) as Record<string, string>),
      authority_key_id: id(leaf.authorityKeyId),
      cert_name: role.name,
      common_name: commonName(leaf.subject) ?? '',
      serial_number: decimal(leaf.serial),
      subject_key_id: id(leaf.subjectKeyId),
    },
    internal: { role: role.name, certificate: leaf.der.toString('base64') },
    settings: role,
  };
}

/** The same client asks, by the certificate that it logged in with, and is still let in as it was. */
export async function renew(
  context: CertContext,
  token: Token,
  origin: RequestOrigin,
): Promise<RenewalTerms> {
  const name = String(token.login!.internal.role);
  const role = await namedRole<CertRole>(context.store, certRole, name);
  if (!role) {
    throw failed(`failed to renew entry: role ${JSON.stringify(name)} does not exist during renewal`);
  }
  const withoutDefault = (policies: readonly string[]) =>
    cleanPolicies(policies.filter((policy) => policy !== 'default')).join();
  if (withoutDefault(role.token_policies) !== withoutDefault(token.policies)) {
    throw failed('failed to renew entry: policies have changed, not renewing');
  }
  const { disable_binding } = await readConfig(context.store);
  if (!disable_binding) {
    const shown = readShown(origin);
    judge(context, shown, name);
    if (shown.leaf.der.toString('base64') !== token.login!.internal.certificate) {
      throw failed(
        'failed to renew entry: client identity during renewal not matching client identity used during login',
      );
    }
  }
  return renewalTerms(role, context.mount());
}
