import type { Clock } from '../../../base/clock.ts';
import type { Store } from '../../../store/store.ts';
import type { HttpClient, HttpClientOptions } from '../../../wire/http-client.ts';
import type { EngineMaker } from '../../mount/mounts.ts';
import { engine } from '../../routing/route.ts';
import type { LoginDesk } from '../login.ts';
import { methodStore } from '../method-store.ts';
import { namedRoleRoutes, renewByRole } from '../named-roles.ts';
import { configRoutes, keySets } from './jwt-config.ts';
import { jwtRole } from './jwt-role.ts';
import { type JwtContext, loginRoutes } from './login-routes.ts';

export const jwtRoutes = [...loginRoutes, ...configRoutes, ...namedRoleRoutes(jwtRole)];

export interface JwtOptions {
  store: Store;
  clock: Clock;
  desk: LoginDesk;
  connect: (options: HttpClientOptions) => HttpClient;
}

/** Makes the auth method of type `jwt`: whoever an issuer of tokens vouches for logs in. */
export function jwtMethod({ store, clock, desk, connect }: JwtOptions): EngineMaker {
  return async (view) => {
    const network = { connect, clock };
    const context: JwtContext = {
      store: methodStore(store, view),
      desk,
      network,
      mount: () => view.current(),
      nowMs: () => clock.now(),
      keys: keySets(network),
    };
    return { ...engine(jwtRoutes, context), renew: (token) => renewByRole(context, jwtRole, token) };
  };
}
