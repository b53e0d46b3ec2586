import type { Clock } from '../../../base/clock.ts';
import type { Store } from '../../../store/store.ts';
import type { EngineMaker } from '../../mount/mounts.ts';
import { engine } from '../../routing/route.ts';
import type { LoginDesk } from '../login.ts';
import { type MethodStore, methodStore } from '../method-store.ts';
import { namedRoleRoutes } from '../named-roles.ts';
import { type CertRole, certRole, trustOf } from './cert-role.ts';
import { crlPrefix, crlRoutes, revokedBy } from './crl-routes.ts';
import { type CertContext, configRoutes, loginRoutes, renew, type Trust } from './login-routes.ts';

export const certRoutes = [...loginRoutes, ...configRoutes, ...namedRoleRoutes(certRole), ...crlRoutes];

export interface CertOptions {
  store: Store;
  clock: Clock;
  desk: LoginDesk;
}

/** Makes the auth method of type `cert`: clients log in by the TLS certificate that they show. */
export function certMethod({ store, clock, desk }: CertOptions): EngineMaker {
  return async (view) => {
    const kept = methodStore(store, view);
    let trust = await readTrust(kept);
    view.following.follow(
      [`${view.prefix}${certRole.path}/`, view.prefix + crlPrefix],
      async () => void (trust = await readTrust(kept)),
    );
    const context: CertContext = {
      store: kept,
      desk,
      mount: () => view.current(),
      nowMs: () => clock.now(),
      trust: () => trust,
    };
    return {
      ...engine(certRoutes, context),
      renew: (token, origin) => renew(context, token, origin),
    };
  };
}

async function readTrust(store: MethodStore): Promise<Trust> {
  const roles = await store.list(`${certRole.path}/`);
  const lists = await store.list(crlPrefix);
  return {
    roles: roles.map(({ value }) => {
      const role = value as CertRole;
      return { role, certificates: trustOf(role) };
    }),
    revoked: new Set(lists.flatMap(({ value }) => revokedBy(value as string))),
  };
}
