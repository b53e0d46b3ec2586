import type { Clock } from '../../../base/clock.ts';
import { type Entropy, uuid } from '../../../base/entropy.ts';
import type { Store } from '../../../store/store.ts';
import { leaseLimits } from '../../mount/mount.ts';
import type { EngineMaker } from '../../mount/mounts.ts';
import { engine } from '../../routing/route.ts';
import type { LoginDesk } from '../login.ts';
import { methodStore } from '../method-store.ts';
import { defaultTokenSettings } from '../token-settings.ts';
import { type AppRoleLoginContext, loginRoutes, renew } from './login-routes.ts';
import { roleRoutes } from './role-routes.ts';
import { finishRemovals } from './role-store.ts';
import { secretIdRoutes } from './secret-id-routes.ts';

export const appRoleRoutes = [...loginRoutes, ...roleRoutes, ...secretIdRoutes];

export interface MethodOptions {
  store: Store;
  clock: Clock;
  entropy: Entropy;
  desk: LoginDesk;
}

/** Makes the auth method of type `approle`: roles that machines log in by, with secret ids of theirs. */
export function appRoleMethod({ store, clock, entropy, desk }: MethodOptions): EngineMaker {
  return async (view) => {
    const context: AppRoleLoginContext = {
      store: methodStore(store, view),
      entropy,
      desk,
      nowMs: () => clock.now(),
      mount: () => view.current(),
      maxLeaseMs: () => leaseLimits(view.current()).maxTtlMs,
      decoy: {
        ...defaultTokenSettings,
        // No name that a role can have.
        name: '/',
        uuid: uuid(entropy),
        role_id: '',
        hmacKey: entropy.bytes(32).toString('base64'),
        bind_secret_id: true,
        secret_id_bound_cidrs: null,
        secret_id_num_uses: 0,
        secret_id_ttl: 0,
        local_secret_ids: false,
      },
    };
    await finishRemovals(context.store);
    return { ...engine(appRoleRoutes, context), renew: (token) => renew(context, token) };
  };
}
