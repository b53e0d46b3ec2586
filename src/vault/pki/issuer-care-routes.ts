import type { Authority } from '../../authority/authority.ts';
import type { AiaConfig } from '../../authority/ca-request.ts';
import { type Issuer, type IssuerUse, issuerUses } from '../../authority/issuer.ts';
import type { IssuerChange } from '../../authority/issuer-changes.ts';
import { filledIn, usageText } from '../../authority/signing-issuer.ts';
import type { BeyondIssuer } from '../../authority/validity.ts';
import { Fault } from '../../base/fault.ts';
import { certificatePem } from '../../x509/certificate.ts';
import { invalidRequest } from '../faults.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';

const issuerFields = {
  issuer_name: 'text',
  leaf_not_after_behavior: 'text',
  manual_chain: 'commaList',
  usage: 'commaList',
  revocation_signature_algorithm: 'text',
  issuing_certificates: 'commaList',
  crl_distribution_points: 'commaList',
  delta_crl_distribution_points: 'commaList',
  ocsp_servers: 'commaList',
  enable_aia_url_templating: 'boolean',
} as const satisfies FieldTable;

type IssuerFields = FieldValues<typeof issuerFields>;

/** What is known of an issuer, and what may be changed of it. */
export const issuerCareRoutes: readonly Route<Authority>[] = [
  defineRoute('issuer/:issuer_ref', {
    fields: issuerFields,
    on: {
      read: (authority, { captures }) => describeIssuer(authority, authority.issuer(captures.issuer_ref!)),
      update: (authority, { captures, fields }) => {
        if (fields.issuer_name?.trim() === '') throw invalidRequest('expected non-empty issuer name');
        return changeIssuer(authority, captures.issuer_ref!, { ...written, ...fields });
      },
      patch: (authority, { captures, fields }) => changeIssuer(authority, captures.issuer_ref!, fields),
      delete: (authority, { captures }) => deleteIssuer(authority, captures.issuer_ref!),
    },
  }),
  defineRoute('root', {
    fields: noFields,
    sudo: true,
    on: {
      delete: async (authority) => {
        await authority.deleteAll();
        const warning =
          'DELETE /root deletes all keys and issuers; prefer the new DELETE /key/:key_ref and DELETE ' +
          '/issuer/:issuer_ref for finer granularity, unless removal of all keys and issuers is desired.';
        return { warnings: [warning] };
      },
    },
  }),
];

/** What a write that leaves a field out means; a patch leaves it as it is. */
const written: Required<IssuerFields> = {
  issuer_name: '',
  leaf_not_after_behavior: 'err',
  manual_chain: [],
  usage: issuerUses.slice(),
  revocation_signature_algorithm: '',
  issuing_certificates: [],
  crl_distribution_points: [],
  delta_crl_distribution_points: [],
  ocsp_servers: [],
  enable_aia_url_templating: false,
};

export function describeIssuer(authority: Authority, issuer: Issuer): Answer & { data: object } {
  const { keyId, revokedAt, urls } = issuer;
  return {
    data: {
      ca_chain: authority.chain(issuer).map(certificatePem),
      certificate: certificatePem(issuer.certificate),
      crl_distribution_points: urls?.crlDistributionPoints ?? [],
      delta_crl_distribution_points: urls?.deltaCrlDistributionPoints ?? [],
      ...(urls ? { enable_aia_url_templating: urls.templates ?? false } : {}),
      issuer_id: issuer.id,
      issuer_name: issuer.name,
      issuing_certificates: urls?.issuingCertificates ?? [],
      key_id: keyId ?? '',
      leaf_not_after_behavior: issuer.leafNotAfterBehavior,
      manual_chain: issuer.manualChain.length > 0 ? issuer.manualChain : null,
      ocsp_servers: urls?.ocspServers ?? [],
      revocation_signature_algorithm: issuer.revocationAlgorithm,
      revoked: revokedAt !== undefined,
      ...(revokedAt === undefined
        ? {}
        : {
            revocation_time: Math.floor(revokedAt / 1_000),
            revocation_time_rfc3339: new Date(revokedAt).toISOString().replace(/\.?0*Z$/, 'Z'),
          }),
      usage: usageText(issuer),
    },
  };
}

async function changeIssuer(authority: Authority, reference: string, fields: IssuerFields): Promise<Answer> {
  const { before, issuer } = await authority.changeIssuer(reference, readChange(fields));
  const warnings = [
    ...(issuer.name !== before.name && before.name !== '' ? await rolesNaming(authority, before.name) : []),
    ...urlWarnings(authority, issuer.urls, issuer.id),
  ];
  return { ...describeIssuer(authority, issuer), warnings };
}

function readChange(fields: IssuerFields): IssuerChange {
  const { issuer_name: name, leaf_not_after_behavior: behavior, usage, manual_chain: manualChain } = fields;
  const urls: Partial<AiaConfig> = {
    ...given('issuingCertificates', fields.issuing_certificates),
    ...given('crlDistributionPoints', fields.crl_distribution_points),
    ...given('deltaCrlDistributionPoints', fields.delta_crl_distribution_points),
    ...given('ocspServers', fields.ocsp_servers),
    ...given('templates', fields.enable_aia_url_templating),
  };
  return {
    ...given('name', name?.trim()),
    ...given('leafNotAfterBehavior', behavior === undefined ? undefined : readBehavior(behavior)),
    ...given('usage', usage && readUsage(usage)),
    ...given('manualChain', manualChain),
    ...given('revocationAlgorithm', fields.revocation_signature_algorithm),
    ...(Object.keys(urls).length > 0 ? { urls } : {}),
  };
}

function given<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]: V });
}

function readBehavior(text: string): BeyondIssuer {
  if (text === 'err' || text === 'truncate' || text === 'permit' || text === 'always_enforce_err')
    return text;
  throw invalidRequest(
    'Unknown value for field `leaf_not_after_behavior`. Possible values are `err`, `truncate`, `permit`, and `always_enforce_err`.',
  );
}

function readUsage(names: readonly string[]): IssuerUse[] {
  const known: readonly string[] = [...issuerUses, 'read-only'];
  const unknown = names.findIndex((name) => !known.includes(name));
  if (unknown === -1) return issuerUses.filter((use) => names.includes(use));
  throw invalidRequest(
    `Unable to parse specified usages: [${names.join(' ')}] - valid values are ${known.join(',')}`,
  );
}

/** What cannot be filled in now will fail to be when something is issued. */
export function urlWarnings(
  authority: Authority,
  urls: AiaConfig | undefined,
  issuerId: string | undefined,
): string[] {
  if (!urls?.templates) return [];
  try {
    filledIn(urls, authority.cluster(), issuerId);
    return [];
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return [
      `issuance may fail: ${error.message}\n\nConsider setting the cluster-local address if it is not already set.`,
    ];
  }
}

async function rolesNaming({ roles }: Authority, reference: string): Promise<string[]> {
  const all = await Promise.all((await roles.names({})).map((name) => roles.get(name)));
  const count = all.filter((role) => role?.issuer_ref === reference).length;
  return count > 0 ? [`${count} roles reference ${reference}`] : [];
}

async function deleteIssuer(authority: Authority, reference: string): Promise<Answer> {
  const deleted = await authority.deleteIssuer(reference);
  if (!deleted) return {};
  const { issuer, wasDefault } = deleted;
  const warning =
    `Deleted issuer ${issuer.id} (via issuer_ref ${reference}); this was configured as the default issuer. ` +
    'Operations without an explicit issuer will not work until a new default is configured.';
  return {
    warnings: [
      ...(issuer.name === '' ? [] : await rolesNaming(authority, issuer.name)),
      ...(await rolesNaming(authority, issuer.id)),
      ...(wasDefault ? [warning, ...(await rolesNaming(authority, 'default'))] : []),
    ],
  };
}
