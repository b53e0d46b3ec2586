import { openAcme } from '../../authority/acme/acme.ts';
import { openAuthority } from '../../authority/authority.ts';
import type { Clock } from '../../base/clock.ts';
import type { Entropy } from '../../base/entropy.ts';
import type { Log } from '../../base/log.ts';
import type { Store } from '../../store/store.ts';
import type { Dialer } from '../../wire/dialer.ts';
import { acmeAccountRoutes } from '../acme/acme-account-routes.ts';
import { acmeManagementRoutes } from '../acme/acme-management-routes.ts';
import { acmeRoutes } from '../acme/acme-routes.ts';
import { dialingProber } from '../acme/dialing-prober.ts';
import type { ManagedKeys } from '../managed-keys/managed-keys.ts';
import { leaseLimits } from '../mount/mount.ts';
import type { EngineMaker } from '../mount/mounts.ts';
import { engine } from '../routing/route.ts';
import { crlConfigRoutes } from './crl-config-routes.ts';
import { crlRoutes } from './crl-routes.ts';
import { defaultRoutes } from './default-routes.ts';
import { detailedRoutes } from './detailed-routes.ts';
import { fetchRoutes } from './fetch-routes.ts';
import { importRoutes } from './import-routes.ts';
import { intermediateRoutes } from './intermediate-routes.ts';
import { issuerCareRoutes } from './issuer-care-routes.ts';
import { issuerRoutes } from './issuer-routes.ts';
import { keyRoutes } from './key-routes.ts';
import { revokeLeased } from './leaf-lease.ts';
import { leafRoutes } from './leaf-routes.ts';
import { ocspRoutes } from './ocsp-routes.ts';
import { outstandingRoutes } from './outstanding-routes.ts';
import { resignRoutes } from './resign-routes.ts';
import { revocationRoutes } from './revocation-routes.ts';
import { roleRoutes } from './role-routes.ts';
import { rootRoutes } from './root-routes.ts';
import { tidyRoutes } from './tidy-routes.ts';
import { urlRoutes } from './url-routes.ts';
import type { PkiContext } from './wanted-key.ts';

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
  ...outstandingRoutes,
  ...fetchRoutes,
  ...detailedRoutes,
  ...revocationRoutes,
  ...crlRoutes,
  ...crlConfigRoutes,
  ...ocspRoutes,
  ...resignRoutes,
];

export { tidyRoutes };

/** Those of its ACME server. */
export const pkiAcmeRoutes = [...acmeManagementRoutes, ...acmeAccountRoutes, ...acmeRoutes];

export interface PkiEngineOptions {
  store: Store;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  /** How ACME's challenges are tried. */
  dialer: Dialer;
  managedKeys: ManagedKeys;
}

/** Makes the engine of type `pki`: Vault's paths over an authority of the mount's own. */
export function pkiEngine({ dialer, managedKeys, ...options }: PkiEngineOptions): EngineMaker {
  const prober = dialingProber(dialer);
  return async (mount) => {
    const keys = managedKeys.forMount(() => mount.current());
    const place = {
      ...options,
      prefix: mount.prefix,
      limits: () => leaseLimits(mount.current()),
      guard: () => mount.guard(),
      following: mount.following,
      remoteKeys: keys.remoteKeys,
    };
    const authority = await openAuthority(place);
    const acme = openAcme({ ...place, authority, prober });
    mount.whenItLeaves(() => void acme.close());
    const tidier = await authority.openTidier((buffers) => acme.tidy(buffers));
    mount.whenItLeaves(() => tidier.close());
    const parts = [
      engine<PkiContext>(pkiRoutes, { ...authority, managedKeys: keys }),
      engine(tidyRoutes, tidier),
      engine(pkiAcmeRoutes, acme),
    ];
    return {
      routes: parts.flatMap(({ routes }) => routes),
      revokeLease: (internal) => revokeLeased(authority, internal, options.clock.now()),
      find(path, operation) {
        for (const part of parts) {
          const found = part.find(path, operation);
          if (found) return found;
        }
        return undefined;
      },
    };
  };
}
