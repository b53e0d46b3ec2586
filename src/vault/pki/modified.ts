import type { RequestOrigin } from '../routing/route.ts';

/** What lets a client, or a cache before it, ask again only for what has changed. */
export function modifiedHeaders(modifiedAtMs: number): Record<string, string> {
  return { 'Last-Modified': new Date(modifiedAtMs).toUTCString(), 'Cache-Control': 'no-cache' };
}

/** Whether the client has what was made at `modifiedAtMs` (whole seconds) already (RFC 9110 section 13.1.3). */
export function notModified({ headers }: RequestOrigin, modifiedAtMs: number): boolean {
  const since = headers['if-modified-since'];
  if (typeof since !== 'string') return false;
  const sinceMs = Date.parse(since);
  return Number.isFinite(sinceMs) && sinceMs >= modifiedAtMs;
}
