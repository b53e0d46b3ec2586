import { invalidRequest } from '../faults.ts';

/** How often one client may ask for what is below a path. */
export interface RateLimit {
  name: string;
  /** Empty for everything; `pki/` for a mount; `pki/sign/web` or `pki/sign/*` for paths. */
  path: string;
  /** Requests that an interval allows. */
  rate: number;
  intervalMs: number;
  /** How long a client that went over it is refused altogether; 0 for until the interval ends. */
  blockMs: number;
}

/**
 * The limit that counts for a request: that of its very path, else the longest that ends in `*`, else its mount's, else
 * the one for everything (Vault, "Resource quotas: precedence").
 */
export function limitFor(
  limits: Iterable<RateLimit>,
  path: string,
  mount: string | undefined,
): RateLimit | undefined {
  let best: RateLimit | undefined;
  let bestRank = -1;
  for (const limit of limits) {
    const rank = rankOf(limit.path, path, mount);
    if (rank > bestRank) [best, bestRank] = [limit, rank];
  }
  return best;
}

/** -1 where it does not apply. */
function rankOf(pattern: string, path: string, mount: string | undefined): number {
  if (pattern === '') return 0;
  if (pattern === mount) return 1;
  if (pattern === path || (path.endsWith('/') && pattern === path.slice(0, -1))) return Infinity;
  const start = pattern.endsWith('*') ? pattern.slice(0, -1) : undefined;
  return start !== undefined && path.startsWith(start) ? 2 + start.length : -1;
}

/** What became of a request that a limit applies to. */
export interface Verdict {
  allowed: boolean;
  limit: number;
  /** Requests that the interval still allows. */
  remaining: number;
  /** When the next interval begins, or the refusal ends. */
  resetMs: number;
}

interface Window {
  endMs: number;
  used: number;
  blockedUntilMs: number;
}

/** Beyond this many clients those that asked longest ago are forgotten. */
const clientLimit = 100_000;

/** Counts clients against one limit, in intervals that begin with a client's first request. */
export class RateCounter {
  readonly limit: RateLimit;
  /** In the order in which the windows began. */
  readonly #windows = new Map<string, Window>();

  constructor(limit: RateLimit) {
    this.limit = limit;
  }

  take(client: string, nowMs: number): Verdict {
    const { rate, blockMs } = this.limit;
    const window = this.#window(client, nowMs);
    const limit = Math.floor(rate);
    if (nowMs < window.blockedUntilMs)
      return { allowed: false, limit, remaining: 0, resetMs: window.blockedUntilMs };
    if (window.used + 1 <= rate) {
      window.used += 1;
      return { allowed: true, limit, remaining: Math.floor(rate - window.used), resetMs: window.endMs };
    }
    if (blockMs > 0) window.blockedUntilMs = nowMs + blockMs;
    return { allowed: false, limit, remaining: 0, resetMs: Math.max(window.endMs, window.blockedUntilMs) };
  }

  #window(client: string, nowMs: number): Window {
    const found = this.#windows.get(client);
    if (found && nowMs < Math.max(found.endMs, found.blockedUntilMs)) return found;
    this.#windows.delete(client);
    if (this.#windows.size >= clientLimit) this.#forgetOldest();
    const window = { endMs: nowMs + this.limit.intervalMs, used: 0, blockedUntilMs: 0 };
    this.#windows.set(client, window);
    return window;
  }

  #forgetOldest(): void {
    const [oldest] = this.#windows.keys();
    if (oldest !== undefined) this.#windows.delete(oldest);
  }
}

/** @throws Fault `vault.request.invalid` */
export function checkRateLimit(limit: RateLimit): RateLimit {
  const { rate, intervalMs, blockMs } = limit;
  if (!Number.isFinite(rate) || rate < 1) throw invalidRequest("'rate' is invalid");
  if (intervalMs < 1_000) throw invalidRequest("'interval' is invalid");
  if (blockMs < 0) throw invalidRequest("'block' is invalid");
  return limit;
}
