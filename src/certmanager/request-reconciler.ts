import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { splitKey } from '../kube/informer.ts';
import { type CertificateRequest, certificateRequests, type Issuer, type IssuerReference } from './kinds.ts';
import { afterSigning, decideRequest, type RequestEvent, type RequestStep } from './request-plan.ts';
import { type SigningContext, signRequest } from './signing.ts';

export interface RequestContext extends SigningContext {
  clock: Clock;
  log: Log;
  /** Whether every request for issuers of ours is approved here. */
  approves: boolean;
  requestOf(key: string): CertificateRequest | undefined;
  issuerOf(reference: IssuerReference, namespace: string): Issuer | undefined;
  tell(request: CertificateRequest, event: RequestEvent): void;
}

export interface RequestReconciler {
  reconcile: (key: string) => Promise<{ requeueAfterMs?: number | undefined }>;
  /** Lets a request be tried at once that waits for the time of its next attempt. */
  wake: (key: string) => void;
}

/** Approval and signature of CertificateRequests. */
export function requestReconciler(context: RequestContext): RequestReconciler {
  const { kube, clock, log, approves } = context;
  /** When a request may next be sent to its CA; our own writes must not count as reasons to try again. */
  const attemptAtMs = new Map<string, number>();

  function decide(request: CertificateRequest): RequestStep {
    const issuer = context.issuerOf(request.spec.issuerRef, request.metadata.namespace!);
    return decideRequest({ request, issuer, approves }, clock.now());
  }

  async function write(
    request: CertificateRequest,
    { status, events }: RequestStep & { do: 'write status' },
  ): Promise<CertificateRequest> {
    const written = await kube.replaceStatus<CertificateRequest>(certificateRequests, { ...request, status });
    for (const event of events) {
      const { name, namespace } = request.metadata;
      log.info(event.message, { request: `${namespace}/${name}`, reason: event.reason });
      context.tell(written, event);
    }
    return written;
  }

  async function sign(key: string, request: CertificateRequest, issuer: Issuer) {
    const outcome = await signRequest(request, issuer, context);
    const step = afterSigning(request, outcome, clock.now());
    if (step.againInMs === undefined) attemptAtMs.delete(key);
    else attemptAtMs.set(key, clock.now() + step.againInMs);
    await write(request, step);
    return { requeueAfterMs: step.againInMs };
  }

  return {
    wake: (key) => attemptAtMs.delete(key),
    async reconcile(key) {
      const cached = context.requestOf(key);
      if (!cached) {
        attemptAtMs.delete(key);
        return {};
      }
      const glance = decide(cached);
      if (glance.do === 'nothing') return {};
      const waitMs = (attemptAtMs.get(key) ?? 0) - clock.now();
      if (glance.do === 'sign' && waitMs > 0) return { requeueAfterMs: waitMs };
      const { name, namespace } = splitKey(key);
      let request = await kube.get<CertificateRequest>(certificateRequests, name, namespace);
      while (request) {
        const step = decide(request);
        if (step.do === 'nothing') return {};
        if (step.do === 'sign') return sign(key, request, step.issuer);
        request = await write(request, step);
      }
      return {};
    },
  };
}
