import type { Clock } from '../../base/clock.ts';
import type { Entropy } from '../../base/entropy.ts';
import type { Log } from '../../base/log.ts';
import type { Store } from '../../store/store.ts';
import type { HttpClient, HttpClientOptions } from '../../wire/http-client.ts';
import type { EngineMaker } from '../mount/mounts.ts';
import { appRoleMethod } from './approle/approle-method.ts';
import { certMethod } from './cert/cert-method.ts';
import { jwtMethod } from './jwt/jwt-method.ts';
import { kubernetesMethod } from './kubernetes/kubernetes-method.ts';
import type { PodFile } from './kubernetes/pod-file.ts';
import { type LoginDeskOptions, loginDesk } from './login.ts';

export interface AuthMethodsOptions extends LoginDeskOptions {
  store: Store;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  /** How methods ask clusters and issuers. */
  connect: (options: HttpClientOptions) => HttpClient;
  podFile: PodFile;
}

/** The auth methods that a user may enable, by type. */
export function authMethods(options: AuthMethodsOptions): Readonly<Record<string, EngineMaker>> {
  const around = { ...options, desk: loginDesk(options) };
  return {
    approle: appRoleMethod(around),
    cert: certMethod(around),
    jwt: jwtMethod(around),
    kubernetes: kubernetesMethod(around),
  };
}
