import type { Reply } from '../core.ts';
import { failed } from '../faults.ts';
import { envelope, isEmptyList } from '../http/envelope.ts';
import type { Answer, VaultRequest } from '../routing/route.ts';
import type { WrapOrder, Wrapping } from './wrapping.ts';
import { rawEnvelope } from './wrapping-routes.ts';

/** What can be kept in one entry of the store, with room for what stands around it. */
const responseLimitBytes = 4_000_000;

/** The reply, or where the request asks for that, a reply that tells the wrapping token which it is kept under. */
export async function wrapReplyWhereAsked(
  wrapping: Wrapping,
  request: VaultRequest,
  reply: Reply,
): Promise<Reply> {
  const order = reply.answer && orderOf(request, reply.answer, reply.mountType);
  if (!order) return reply;
  if (Buffer.byteLength(order.wrapped.response) > responseLimitBytes) {
    throw failed('the response is too large to be wrapped');
  }
  const wrap = await wrapping.wrap(order);
  const { warnings } = reply.answer!;
  return { ...reply, dataAtTop: false, mountType: '', answer: { wrap, ...(warnings ? { warnings } : {}) } };
}

/** The shorter time counts, where the request asks for one and the answer is one that is wrapped again. */
function orderOf(
  { id, operation, path, wrapTtlMs }: VaultRequest,
  answer: Answer,
  mountType: string,
): WrapOrder | undefined {
  const { rewrap, data, raw, auth } = answer;
  if (rewrap) return { ...rewrap, ttlMs: Math.min(rewrap.ttlMs, wrapTtlMs ?? Infinity) };
  if (!wrapTtlMs || raw?.stream) return undefined;
  // To find out that there is nothing in a list takes no token.
  if (operation === 'list' && !raw && isEmptyList(data)) return undefined;
  const told = raw ? { data: { ...rawEnvelope(raw) } } : answer;
  const response = JSON.stringify(envelope(id, told, mountType));
  const held = auth?.accessor ?? (mountType === 'approle' ? data?.secret_id_accessor : undefined);
  return {
    wrapped: { response, raw: raw !== undefined },
    ttlMs: wrapTtlMs,
    path,
    ...(typeof held === 'string' && held !== '' ? { wrappedAccessor: held } : {}),
  };
}
