import type { Clock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { type Cubbyhole, cubbyholeEntry } from '../cubbyhole/cubbyhole.ts';
import { failed, rejected } from '../faults.ts';
import { formatInstant } from '../instant.ts';
import { responseWrapping } from '../policy/response-wrapping.ts';
import type { PresentedToken, Token } from '../token/token.ts';
import type { Tokens } from '../token/tokens.ts';

/** An answer as it would have been sent: the envelope as JSON. */
export interface Wrapped {
  response: string;
  /** It was to be sent without the envelope, which only holds it (see `rawEnvelope`). */
  raw: boolean;
}

/** What is to be wrapped. */
export interface WrapOrder {
  wrapped: Wrapped;
  ttlMs: number;
  /** The path whose answer it is. */
  path: string;
  /** The accessor of the token in it. */
  wrappedAccessor?: string;
}

/** As the envelope shows it; `ttl` in seconds. */
export interface WrapInfo {
  token: string;
  accessor: string;
  ttl: number;
  creation_time: string;
  creation_path: string;
  wrapped_accessor?: string;
}

/** What is known of a wrapped answer without unwrapping it; `creation_ttl` in seconds. */
export interface WrappedInfo {
  creation_ttl: number;
  creation_time: string;
  creation_path: string;
}

/**
 * Answers that are kept for whoever brings a token which is good for that once: in its cubbyhole, so that they end
 * with it, unread or read.
 */
export interface Wrapping {
  wrap(order: WrapOrder): Promise<WrapInfo>;
  /** The wrapping token `id`; undefined for any other and for one that is used or over. */
  find(id: string): Promise<PresentedToken | undefined>;
  look(token: Token): Promise<WrappedInfo>;
  /** The answer; from then on the token is used up. @throws Fault `vault.wrapping` where somebody was quicker */
  open(presented: PresentedToken): Promise<Wrapped>;
  /** The answer for whoever came with the token itself, which the request has used up. */
  read(token: Token): Promise<Wrapped>;
}

export interface WrappingOptions {
  tokens: Tokens;
  held: Cubbyhole;
  clock: Clock;
}

/** A wrapping token that is none, or none any more. Whoever waited for it should suspect that somebody else had it. */
export function invalidWrapping(): Fault {
  return new Fault('wrapping token is not valid or does not exist', {
    code: 'vault.wrapping',
    blame: 'caller',
  });
}

export function isWrappingToken({ policies }: Token): boolean {
  return policies.length === 1 && policies[0] === responseWrapping.name;
}

export function responseWrapper({ tokens, held, clock }: WrappingOptions): Wrapping {
  async function read(token: Token): Promise<Wrapped> {
    const values = await held.read(token, 'response');
    if (typeof values?.response !== 'string') throw failed('no response found inside the cubbyhole');
    return { response: values.response, raw: values.raw === true };
  }

  return {
    read,
    async wrap({ wrapped, ttlMs, path, wrappedAccessor }) {
      const nowMs = clock.now();
      const info: WrappedInfo = {
        creation_ttl: ttlMs / 1_000,
        creation_time: formatInstant(nowMs),
        creation_path: path,
      };
      const { id, token } = await tokens.create(
        {
          policies: [responseWrapping.name],
          path,
          meta: null,
          displayName: '',
          numUses: 1,
          createdMs: Math.floor(nowMs / 1_000) * 1_000,
          ttlMs,
          explicitMaxTtlMs: ttlMs,
          periodMs: 0,
          renewable: false,
          expiresMs: nowMs + ttlMs,
        },
        undefined,
        (name) => [
          cubbyholeEntry(name, 'response', { ...wrapped }),
          cubbyholeEntry(name, 'wrapinfo', { ...info }),
        ],
      );
      return {
        token: id,
        accessor: token.accessor,
        ttl: info.creation_ttl,
        creation_time: info.creation_time,
        creation_path: path,
        ...(wrappedAccessor === undefined ? {} : { wrapped_accessor: wrappedAccessor }),
      };
    },
    async find(id) {
      const presented = id === '' ? undefined : await tokens.lookup(id);
      return presented && isWrappingToken(presented.token) ? presented : undefined;
    },
    async look(token) {
      const info = await held.read(token, 'wrapinfo');
      if (!info) throw rejected('no information found; wrapping token may be from a previous Vault version');
      return info as unknown as WrappedInfo;
    },
    async open(presented) {
      const used = await tokens.use(presented);
      if (!used) throw invalidWrapping();
      try {
        return await read(used);
      } finally {
        await tokens.revoke(used.name);
      }
    },
  };
}
