import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { splitKey } from '../kube/informer.ts';
import { inspectIssuer } from './inspection.ts';
import { judgeIssuer } from './issuer-plan.ts';
import { clusterIssuers, type Issuer, issuers } from './kinds.ts';
import type { SigningContext } from './signing.ts';

export interface IssuerContext extends SigningContext {
  clock: Clock;
  log: Log;
  /** An Issuer by `namespace/name`, a ClusterIssuer by its name. */
  issuerOf(key: string): Issuer | undefined;
  tell(issuer: Issuer, event: { reason: string; message: string }): void;
}

/** Keeps the conditions of Issuers and ClusterIssuers true. */
export function issuerReconciler(context: IssuerContext) {
  const { kube, clock, log } = context;
  return async (key: string): Promise<{ requeueAfterMs?: number | undefined }> => {
    const { name, namespace } = splitKey(key);
    const resource = namespace === undefined ? clusterIssuers : issuers;
    if (!context.issuerOf(key)) return {};
    const issuer = await kube.get<Issuer>(resource, name, namespace);
    if (!issuer || issuer.metadata.deletionTimestamp !== undefined) return {};
    const inspection = await inspectIssuer(issuer, context);
    const { conditions, event, againInMs } = judgeIssuer(issuer, inspection, clock.now());
    let written = issuer;
    if (!isDeepStrictEqual(conditions, issuer.status?.conditions ?? [])) {
      written = await kube.replaceStatus<Issuer>(resource, {
        ...issuer,
        status: { ...issuer.status, conditions },
      });
      log.info('issuer judged', { issuer: key, found: inspection.found });
    }
    if (event) context.tell(written, event);
    return { requeueAfterMs: againInMs };
  };
}
