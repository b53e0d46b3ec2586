import type { Log } from '../../../base/log.ts';
import type { Store } from '../../../store/store.ts';
import type { EngineMaker } from '../../mount/mounts.ts';
import { engine } from '../../routing/route.ts';
import type { LoginDesk } from '../login.ts';
import { methodStore } from '../method-store.ts';
import { namedRoleRoutes, renewByRole } from '../named-roles.ts';
import { type ClusterOptions, clusters } from './cluster.ts';
import { configRoutes } from './kubernetes-config.ts';
import { kubernetesRole } from './kubernetes-role.ts';
import { type KubernetesContext, loginRoutes } from './login-routes.ts';

export const kubernetesRoutes = [...loginRoutes, ...configRoutes, ...namedRoleRoutes(kubernetesRole)];

export interface KubernetesOptions extends ClusterOptions {
  store: Store;
  log: Log;
  desk: LoginDesk;
}

/** Makes the auth method of type `kubernetes`: service accounts log in by tokens that their cluster reviews. */
export function kubernetesMethod({ store, log, desk, ...network }: KubernetesOptions): EngineMaker {
  return async (view) => {
    const context: KubernetesContext = {
      store: methodStore(store, view),
      log,
      desk,
      mount: () => view.current(),
      cluster: clusters(network),
    };
    return {
      ...engine(kubernetesRoutes, context),
      renew: (token) => renewByRole(context, kubernetesRole, token),
    };
  };
}
