import { Fault } from '../../base/fault.ts';
import type { Authority } from '../authority.ts';
import type { Issuer } from '../issuer.ts';
import { verbatimRole } from '../leaf-request.ts';
import type { Role } from '../role.ts';
import { type AcmeSettings, isAny, policyRole } from './acme-settings.ts';
import { malformed, Problem } from './problem.ts';

/** A directory as its path names it. */
export interface DirectoryName {
  /** Below the mount, without a slash at its end: `roles/web/acme`. */
  path: string;
  issuer?: string;
  role?: string;
}

/** By what rules, and below what, a directory issues. */
export interface Directory extends DirectoryName {
  rules: Role;
  /** Whether the role is one that lets every proven name pass. */
  verbatim: boolean;
  signer: Issuer;
  settings: AcmeSettings;
}

type DirectoryWorld = Pick<Authority, 'issuer'> & { roles: Pick<Authority['roles'], 'get'> };

/** @throws Problem `malformed`, `unauthorized` where the settings do not let it */
export async function openDirectory(
  name: DirectoryName,
  settings: AcmeSettings,
  authority: DirectoryWorld,
): Promise<Directory> {
  const roleName = name.role ?? defaultRole(settings);
  if (
    name.role !== undefined &&
    !isAny(settings.allowed_roles) &&
    !settings.allowed_roles.includes(name.role)
  ) {
    throw forbidden('specified role not allowed by ACME policy');
  }
  const role = roleName === undefined ? verbatimRole(undefined) : await acmeRole(roleName, authority);
  const ownIssuer = role.issuer_ref === 'default' ? undefined : role.issuer_ref;
  const signer = issuerOf(name.issuer ?? ownIssuer ?? 'default', authority);
  // An allowed role may name any issuer; a path may not.
  if (name.issuer !== undefined || ownIssuer === undefined) assertAllowed(signer, settings, authority);
  return {
    ...name,
    signer,
    settings,
    verbatim: roleName === undefined,
    rules: settings.allow_role_ext_key_usage ? role : forServers(role),
  };
}

/** No signature makes up for it. */
function forbidden(detail: string): Problem {
  return new Problem('unauthorized', detail, { status: 403 });
}

/** @throws Problem */
function defaultRole({ default_directory_policy: policy }: AcmeSettings): string | undefined {
  if (policy === 'forbid') throw forbidden('default directory not allowed by ACME policy');
  return policyRole(policy);
}

/** A role that ACME can issue by. @throws Problem `malformed` */
export async function acmeRole(name: string, { roles }: DirectoryWorld): Promise<Role> {
  const role = await roles.get(name);
  if (!role) throw malformed('role does not exist');
  // The certificate is fetched later.
  if (role.no_store) throw malformed('role can not be used as NoStore is set to true');
  return role;
}

function issuerOf(reference: string, authority: DirectoryWorld): Issuer {
  try {
    const issuer = authority.issuer(reference);
    if (issuer.usage.includes('issuing-certificates') && issuer.keyId !== undefined) return issuer;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw malformed('issuer does not exist', error);
  }
  throw new Problem('serverInternal', 'issuer missing proper issuance usage or key');
}

function assertAllowed(
  issuer: Issuer,
  { allowed_issuers: allowed }: AcmeSettings,
  authority: DirectoryWorld,
): void {
  if (isAny(allowed) || allowed.some((reference) => isIssuer(reference, issuer, authority))) return;
  throw forbidden('specified issuer not allowed by ACME policy');
}

/** One that has gone since it was allowed allows nothing. */
function isIssuer(reference: string, { id }: Issuer, authority: DirectoryWorld): boolean {
  try {
    return authority.issuer(reference).id === id;
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

/** What is proven is that a server answers to a name, no more. */
function forServers(role: Role): Role {
  return {
    ...role,
    ext_key_usage: [],
    ext_key_usage_oids: [],
    server_flag: true,
    client_flag: false,
    code_signing_flag: false,
    email_protection_flag: false,
  };
}
