import { texts } from '../pki-issuer.ts';
import type { ValueObject } from '../value.ts';
import { defineCheck, denied, type Finding, type HealthCheck, tooOld } from './check.ts';
import type { MountFacts } from './mount-facts.ts';

type Judge = (role: ValueObject) => Pick<Finding, 'status' | 'message'> | undefined;

/** Each role by `judge`; `well` is said where it finds fault with none. */
async function lookAtRoles(mount: MountFacts, well: string, judge: Judge): Promise<Finding[]> {
  const list = await mount.list('roles');
  if (list.state === 'unsupported') return [tooOld(list.path)];
  if (list.state === 'denied') return [denied(list, mount)];
  const roles = await Promise.all(texts(list.data.keys).map((name) => mount.read(`roles/${name}`)));
  const hidden = roles.filter(({ state }) => state === 'denied').map((role) => denied(role, mount));
  const seen = roles.filter(({ state }) => state === 'known');
  const faults = seen.flatMap(({ path, data }): Finding[] => {
    const found = judge(data);
    return found ? [{ ...found, endpoint: path }] : [];
  });
  if (hidden.length + faults.length > 0 || seen.length === 0) return [...hidden, ...faults];
  return [{ status: 'ok', endpoint: list.path, message: well }];
}

const allowsLocalhost = defineCheck('role_allows_localhost', {
  settings: () => undefined,
  look: (mount) =>
    lookAtRoles(mount, 'No role lets localhost in beside other domains.', (role) => {
      const domains = texts(role.allowed_domains);
      if (role.allow_localhost !== true || domains.length === 0) return undefined;
      return {
        status: 'warning',
        message:
          `It is for [${domains.join(' ')}], and allows localhost too, which may have been overlooked. Set ` +
          'allow_localhost=false, and name localhost among the domains if it is wanted.',
      };
    }),
});

const allowsGlobWildcards = defineCheck('role_allows_glob_wildcards', {
  settings: () => undefined,
  look: (mount) =>
    lookAtRoles(mount, 'No role allows wildcards and globs at once.', (role) => {
      const domains = texts(role.allowed_domains);
      const both = role.allow_wildcard_certificates === true && role.allow_glob_domains === true;
      if (!both || !domains.some((domain) => domain.includes('*'))) return undefined;
      return {
        status: 'warning',
        message:
          `It allows wildcard certificates for the globs [${domains.join(' ')}]. A glob matches wildcards too, those ` +
          'of subdomains included: allow one of both, or make two roles.',
      };
    }),
});

const noStoreFalse = defineCheck('role_no_store_false', {
  defaults: { allowed_roles: [] },
  settings: () => undefined,
  async look(mount) {
    const config = await mount.read('config/crl');
    const rebuilds = config.data.auto_rebuild === true;
    const findings = await lookAtRoles(mount, 'No role keeps what it issues.', (role) =>
      role.no_store === true
        ? undefined
        : {
            status: rebuilds ? 'informational' : 'warning',
            message:
              'It keeps every certificate that it issues (no_store=false). Many of them slow a mount down: let them ' +
              'be short-lived, and set no_store=true where none has to be revoked.' +
              (rebuilds ? '' : ' With auto_rebuild in config/crl not every revocation makes a new CRL.'),
          },
    );
    const [first] = findings;
    const listDenied = first?.status === 'insufficient_permissions' && first.endpoint.endsWith('/roles');
    return config.state === 'denied' && !listDenied ? [denied(config, mount), ...findings] : findings;
  },
});

export const roleChecks: readonly HealthCheck[] = [allowsLocalhost, allowsGlobWildcards, noStoreFalse];
