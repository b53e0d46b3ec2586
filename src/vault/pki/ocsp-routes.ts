import type { Authority } from '../../authority/authority.ts';
import type { OcspAnswer } from '../../authority/ocsp.ts';
import { Fault } from '../../base/fault.ts';
import { type OcspResponseStatus, ocspError } from '../../x509/ocsp-response.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Answer, Route } from '../routing/route.ts';

const contentType = 'application/ocsp-response';
/** Vault's: an ordinary request has 100 bytes. */
const longestRequest = 2_048;

export const ocspRoutes: readonly Route<Authority>[] = [
  defineRoute('ocsp', {
    fields: noFields,
    open: true,
    on: { update: (authority, { origin }) => answer(authority, origin.message) },
  }),
  defineRoute('ocsp/*request', {
    fields: noFields,
    open: true,
    on: {
      // In base64, of the usual alphabet or the one for URLs.
      read: async (authority, { captures }) => {
        const text = captures.request!;
        const isBase64 = /^[A-Za-z0-9+/_-]+={0,2}$/.test(text);
        return answer(authority, isBase64 ? Buffer.from(text, 'base64') : undefined, 'cached');
      },
    },
  }),
];

/** The status that HTTP has for each of OCSP's, as Vault answers them. */
const httpStatus: Readonly<Record<OcspResponseStatus, number>> = {
  successful: 200,
  'malformed request': 400,
  'internal error': 500,
  'try later': 503,
  'signature required': 401,
  unauthorized: 401,
};

async function answer(authority: Authority, request: Buffer | undefined, cached?: 'cached'): Promise<Answer> {
  if (!request || request.length === 0 || request.length >= longestRequest) {
    return { raw: { status: 400, contentType, body: ocspError('malformed request') } };
  }
  const given = await answered(authority, request);
  const headers = cached && given.holds ? cacheHeaders(given.holds) : undefined;
  return {
    raw: {
      status: httpStatus[given.status],
      contentType,
      body: given.der,
      ...(headers ? { headers } : {}),
    },
  };
}

async function answered(authority: Authority, request: Buffer): Promise<OcspAnswer> {
  try {
    return await authority.ocsp.answer(request);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const status = /^(store|vault\.managed-key)\./.test(error.code) ? 'try later' : 'internal error';
    return { status, der: ocspError(status) };
  }
}

/** What lets caches between keep it (RFC 9110; RFC 5019 section 6.2). */
function cacheHeaders({ from, forMs, tag }: NonNullable<OcspAnswer['holds']>): Record<string, string> {
  return {
    'Cache-Control': `max-age=${Math.floor(forMs / 1_000)}, public, no-transform, must-revalidate`,
    'Last-Modified': new Date(from).toUTCString(),
    ETag: `"${tag}"`,
  };
}
