import { Fault } from '../base/fault.ts';
import { durationBounds, type Metrics } from '../base/metrics.ts';
import type { Core, Reply } from './core.ts';
import { statusOf } from './faults.ts';
import type { VaultRequest } from './routing/route.ts';

/** A request that is not answered yet. */
export interface InFlight {
  request: VaultRequest;
  startedMs: number;
}

/** A core that tells `metrics` of its requests, and knows those under way. */
export interface MeteredCore extends Core {
  inFlight(): readonly InFlight[];
}

/** `nowMs`: the time, epoch milliseconds. */
export function meteredCore(core: Core, metrics: Metrics, nowMs: () => number): MeteredCore {
  const underWay = new Set<InFlight>();
  const took = metrics.histogram(
    'vault_core_handle_request',
    'Milliseconds from a request to its answer.',
    durationBounds,
  );
  const logins = metrics.histogram(
    'vault_core_handle_login_request',
    'Milliseconds from a login to its answer.',
    durationBounds,
  );
  const answered = metrics.counter(
    'capstan_requests_total',
    'Requests answered, by mount type, operation and status.',
  );
  metrics.gauge('vault_core_in_flight_requests', 'Requests that are not answered yet.', () => underWay.size);

  return {
    inFlight: () => [...underWay],
    async handle(request) {
      const start = metrics.ticks();
      const one = { request, startedMs: nowMs() };
      underWay.add(one);
      let reply: Reply | undefined;
      let status = 200;
      try {
        reply = await core.handle(request);
        return reply;
      } catch (error) {
        status = error instanceof Fault ? statusOf(error) : 500;
        throw error;
      } finally {
        underWay.delete(one);
        (isLogin(request) ? logins : took).observe(metrics.ticks() - start);
        const mount = reply?.mountType ?? '';
        answered.add({ mount, operation: request.operation, status: String(status) });
      }
    },
  };
}

function isLogin({ path }: VaultRequest): boolean {
  return path.startsWith('auth/') && /\/login(\/|$)/.test(path);
}
