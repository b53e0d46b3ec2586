import { openAuthority } from '../../authority/authority.ts';
import type { Clock } from '../../base/clock.ts';
import type { Entropy } from '../../base/entropy.ts';
import type { Store } from '../../store/store.ts';
import { leaseLimits } from '../mount/mount.ts';
import type { EngineMaker } from '../mount/mounts.ts';
import { engine } from '../routing/route.ts';
import { crlConfigRoutes } from './crl-config-routes.ts';
import { crlRoutes } from './crl-routes.ts';
import { defaultRoutes } from './default-routes.ts';
import { fetchRoutes } from './fetch-routes.ts';
import { importRoutes } from './import-routes.ts';
import { intermediateRoutes } from './intermediate-routes.ts';
import { issuerCareRoutes } from './issuer-care-routes.ts';
import { issuerRoutes } from './issuer-routes.ts';
import { keyRoutes } from './key-routes.ts';
import { leafRoutes } from './leaf-routes.ts';
import { ocspRoutes } from './ocsp-routes.ts';
import { revocationRoutes } from './revocation-routes.ts';
import { roleRoutes } from './role-routes.ts';
import { rootRoutes } from './root-routes.ts';
import { urlRoutes } from './url-routes.ts';

export const pkiRoutes = [
  ...rootRoutes,
  ...intermediateRoutes,
  ...urlRoutes,
  ...importRoutes,
  ...issuerCareRoutes,
  ...issuerRoutes,
  ...keyRoutes,
  ...defaultRoutes,
  ...roleRoutes,
  ...leafRoutes,
  ...fetchRoutes,
  ...revocationRoutes,
  ...crlRoutes,
  ...crlConfigRoutes,
  ...ocspRoutes,
];

/** Makes the engine of type `pki`: Vault's paths over an authority of the mount's own. */
export function pkiEngine(options: { store: Store; clock: Clock; entropy: Entropy }): EngineMaker {
  return async (mount) => {
    const authority = await openAuthority({
      ...options,
      prefix: mount.prefix,
      limits: () => leaseLimits(mount.current()),
      guard: () => mount.guard(),
      following: mount.following,
    });
    return engine(pkiRoutes, authority);
  };
}
