import { describeError, Fault } from '../../base/fault.ts';
import type { Reply } from '../core.ts';
import { statusOf } from '../faults.ts';
import type { Operation } from '../policy/access-list.ts';
import { Throttled } from '../quota/quotas.ts';
import type { Answer } from '../routing/route.ts';

/** An answer as it goes over the wire. */
export interface HttpAnswer {
  status: number;
  headers?: Readonly<Record<string, string | readonly string[]>>;
  contentType: string;
  body: Buffer;
  /** Sent after `body`. */
  stream?: AsyncIterable<Buffer>;
}

const json = 'application/json';
const empty = Buffer.alloc(0);

/** JSON as Vault writes it: one line and a newline. */
export function jsonAnswer(status: number, body: unknown): HttpAnswer {
  return { status, contentType: json, body: Buffer.from(`${JSON.stringify(body)}\n`) };
}

export function errorAnswer(status: number, ...errors: readonly string[]): HttpAnswer {
  return jsonAnswer(status, { errors });
}

/** The envelope of a reply: its data between the fields that every answer has. */
export function wrapReply(id: string, operation: Operation, reply: Reply): HttpAnswer {
  const wrapped = enveloped(id, operation, reply);
  return reply.headers ? { ...wrapped, headers: { ...wrapped.headers, ...reply.headers } } : wrapped;
}

function enveloped(id: string, operation: Operation, reply: Reply): HttpAnswer {
  const { answer, dataAtTop, mountType } = reply;
  const reading = operation === 'read' || operation === 'list';
  if (!answer) return reading ? errorAnswer(404) : { status: 204, contentType: json, body: empty };
  if (answer.raw) {
    const { body, contentType, status = body.length > 0 ? 200 : 204, headers, stream } = answer.raw;
    return { status, contentType, body, ...(headers ? { headers } : {}), ...(stream ? { stream } : {}) };
  }
  const { data, warnings = [], wrap, status = 200, headers } = answer;
  if (operation === 'list' && isEmptyList(data) && warnings.length === 0 && !wrap) return errorAnswer(404);
  const sent = jsonAnswer(status, { ...(dataAtTop ? data : {}), ...envelope(id, answer, mountType) });
  return headers && !wrap ? { ...sent, headers } : sent;
}

/** What stands around the data of an answer: the fields that every answer has. */
export function envelope(id: string, answer: Answer, mountType: string): Record<string, unknown> {
  const { data = null, auth = null, wrap = null, warnings = [], granted } = answer;
  return {
    request_id: wrap ? '' : id,
    lease_id: '',
    renewable: false,
    lease_duration: 0,
    ...granted,
    data,
    wrap_info: wrap,
    warnings: warnings.length > 0 ? warnings : null,
    auth,
    mount_type: mountType,
  };
}

/** A list of nothing is no list, as a read of nothing is no read. */
export function isEmptyList(data: Readonly<Record<string, unknown>> | undefined): boolean {
  const keys = data?.keys;
  return !data || (Array.isArray(keys) && keys.length === 0);
}

/** What went wrong, as Vault would put it; what is no fault is not told to the client. */
export function wrapError(error: unknown): HttpAnswer {
  if (!(error instanceof Fault)) return errorAnswer(500, 'internal error');
  const status = statusOf(error);
  if (error instanceof Throttled) return { ...errorAnswer(status, error.message), headers: error.headers };
  // What only the operator can mend is for the log, not for clients.
  if (status === 503 && error.code.startsWith('store.')) {
    const told = errorAnswer(status, 'the storage backend is unavailable or busy; try again');
    return { ...told, headers: { 'Retry-After': '1' } };
  }
  if (error.code === 'vault.seal.away') {
    return errorAnswer(status, "the seal is out of reach: the server's log tells why");
  }
  if (error.code === 'vault.managed-key.away') {
    return errorAnswer(status, "the managed key is out of reach: the server's log tells why");
  }
  if (status >= 500 && error.blame !== 'caller') return errorAnswer(status, 'internal error');
  // Vault's own words stand alone; what other rooms find comes with its mend.
  return errorAnswer(status, error.code.startsWith('vault.') ? error.message : describeError(error));
}
