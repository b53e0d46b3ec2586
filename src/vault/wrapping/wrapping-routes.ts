import { invalidRequest } from '../faults.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable } from '../routing/fields.ts';
import type { Answer, Caller, RawAnswer, Route } from '../routing/route.ts';
import { invalidWrapping, isWrappingToken, type Wrapped, type Wrapping } from './wrapping.ts';

export interface WrappingContext {
  wrapping: Wrapping;
}

/** The paths that work on a wrapping token: one that is none is told so before anything else. */
export const wrappedPaths: ReadonlySet<string> = new Set([
  'sys/wrapping/lookup',
  'sys/wrapping/unwrap',
  'sys/wrapping/rewrap',
]);

const tokenField = { token: 'text' } as const satisfies FieldTable;

interface TokenGiven {
  fields: { token?: string };
  caller: Caller;
}

export const wrappingRoutes: readonly Route<WrappingContext>[] = [
  defineRoute('wrapping/wrap', {
    fields: {},
    free: true,
    on: {
      update: (_, { data, wrapTtlMs }) => {
        if (!wrapTtlMs) throw invalidRequest('endpoint requires response wrapping to be used');
        return { data: { ...data } };
      },
    },
  }),
  defineRoute('wrapping/lookup', { fields: tokenField, open: true, on: { read: lookup, update: lookup } }),
  defineRoute('wrapping/unwrap', { fields: tokenField, on: { update: unwrap } }),
  defineRoute('wrapping/rewrap', { fields: tokenField, on: { update: rewrap } }),
];

async function lookup({ wrapping }: WrappingContext, { fields, caller }: TokenGiven): Promise<Answer> {
  const found = await wrapping.find(fields.token || caller.presented.id);
  if (!found) throw invalidWrapping();
  return { data: { ...(await wrapping.look(found.token)) } };
}

async function unwrap(context: WrappingContext, given: TokenGiven): Promise<Answer> {
  return { raw: asSent(await responseOf(context, given)) };
}

/** From the token that is named, or that the request came with. */
async function responseOf({ wrapping }: WrappingContext, { fields, caller }: TokenGiven): Promise<Wrapped> {
  const { token } = caller.presented;
  if (!fields.token && isWrappingToken(token)) return wrapping.read(token);
  const found = await wrapping.find(fields.token ?? '');
  if (!found) throw invalidWrapping();
  return wrapping.open(found);
}

/** The same answer for the same time under another token. */
async function rewrap(context: WrappingContext, given: TokenGiven): Promise<Answer> {
  const found = await context.wrapping.find(given.fields.token || given.caller.presented.id);
  if (!found) throw invalidWrapping();
  const info = await context.wrapping.look(found.token);
  const wrapped = await responseOf(context, given);
  return { rewrap: { wrapped, ttlMs: info.creation_ttl * 1_000, path: info.creation_path } };
}

/** What was to be sent without the envelope is sent so. */
function asSent({ response, raw }: Wrapped): RawAnswer {
  if (!raw) return { contentType: 'application/json', body: Buffer.from(response) };
  const { data } = JSON.parse(response) as { data: RawEnvelope };
  return {
    contentType: data.http_content_type,
    body: Buffer.from(data.http_raw_body, 'base64'),
    ...(data.http_status_code === undefined ? {} : { status: data.http_status_code }),
  };
}

/** How an answer without the envelope is kept, as Vault keeps it. */
interface RawEnvelope {
  http_content_type: string;
  http_raw_body: string;
  http_status_code?: number;
}

export function rawEnvelope({ contentType, body, status }: RawAnswer): RawEnvelope {
  return {
    http_content_type: contentType,
    http_raw_body: body.toString('base64'),
    ...(status === undefined ? {} : { http_status_code: status }),
  };
}
