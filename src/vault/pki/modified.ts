import type { Answer, RequestOrigin } from '../routing/route.ts';

/**
 * The answer, with what lets a client, or a cache before it, ask again only for what has changed; or, to a client that
 * has what was made at `modifiedAtMs` (whole seconds) already, that it is the same still (RFC 9110 section 13.1.3).
 *
 * @param modifiedAtMs 0 where nobody knows
 */
export function conditional(answer: Answer, origin: RequestOrigin, modifiedAtMs: number): Answer {
  if (modifiedAtMs === 0) return answer;
  const headers = { 'Last-Modified': new Date(modifiedAtMs).toUTCString(), 'Cache-Control': 'no-cache' };
  if (isHeld(origin, modifiedAtMs)) {
    const contentType = answer.raw?.contentType ?? 'application/json';
    return { raw: { status: 304, contentType, headers, body: Buffer.alloc(0) } };
  }
  return answer.raw ? { raw: { ...answer.raw, headers } } : { ...answer, headers };
}

function isHeld({ headers }: RequestOrigin, modifiedAtMs: number): boolean {
  const since = headers['if-modified-since'];
  if (typeof since !== 'string') return false;
  const sinceMs = Date.parse(since);
  return Number.isFinite(sinceMs) && sinceMs >= modifiedAtMs;
}
