import type { Auditor } from '../audit/auditor.ts';
import type { Core } from '../core.ts';
import { type Quotas, Throttled } from './quotas.ts';
import type { Verdict } from './rate-limit.ts';

/** A core that refuses what its quotas do not allow, before anything is looked at. */
export function limitedCore(core: Core, { quotas, auditor, nowMs }: LimitedOptions): Core {
  return {
    async handle(request) {
      const verdict = quotas.take(request);
      if (!verdict) return core.handle(request);
      const { auditRefusals, tellLimits } = quotas.config();
      const told = tellLimits ? limitHeaders(verdict, nowMs()) : {};
      if (verdict.allowed) {
        const reply = await core.handle(request);
        return { ...reply, headers: { ...reply.headers, ...told } };
      }
      const retry = { 'Retry-After': String(secondsUntil(verdict.resetMs, nowMs())) };
      const refusal = new Throttled(request.path, { ...told, ...retry });
      if (auditRefusals) await auditor.request({ request, error: refusal.message });
      throw refusal;
    },
  };
}

interface LimitedOptions {
  quotas: Quotas;
  auditor: Auditor;
  nowMs: () => number;
}

function limitHeaders({ limit, remaining, resetMs }: Verdict, nowMs: number): Record<string, string> {
  return {
    'X-Ratelimit-Limit': String(limit),
    'X-Ratelimit-Remaining': String(remaining),
    'X-Ratelimit-Reset': String(secondsUntil(resetMs, nowMs)),
  };
}

/** Rounded up: who comes then is not too early again. */
function secondsUntil(ms: number, nowMs: number): number {
  return Math.max(0, Math.ceil((ms - nowMs) / 1_000));
}
