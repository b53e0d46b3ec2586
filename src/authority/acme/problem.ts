import { Fault } from '../../base/fault.ts';

/** What can be wrong with an ACME request, and its HTTP status (RFC 8555 section 6.7, RFC 9773 section 7.4). */
const statuses = {
  accountDoesNotExist: 400,
  alreadyReplaced: 409,
  alreadyRevoked: 400,
  badCSR: 400,
  badNonce: 400,
  badPublicKey: 400,
  badRevocationReason: 400,
  badSignatureAlgorithm: 400,
  connection: 400,
  dns: 400,
  externalAccountRequired: 401,
  incorrectResponse: 403,
  invalidContact: 400,
  malformed: 400,
  orderNotReady: 403,
  rateLimited: 429,
  rejectedIdentifier: 400,
  serverInternal: 500,
  tls: 400,
  unauthorized: 401,
  unsupportedContact: 400,
  unsupportedIdentifier: 400,
} as const;

export type ProblemType = keyof typeof statuses;

/** A problem document (RFC 9457, as RFC 8555 section 6.7 uses it). */
export interface ProblemDocument {
  type: string;
  detail: string;
  status?: number;
  identifier?: { type: string; value: string };
  algorithms?: readonly string[];
  subproblems?: readonly ProblemDocument[];
}

export interface ProblemDetails {
  /** Where the type's own does not fit. */
  status?: number;
  /** Besides those that every answer has. */
  headers?: Readonly<Record<string, string>>;
  /** What could be used instead, for `badSignatureAlgorithm`. */
  algorithms?: readonly string[];
  /** One for each identifier that something is wrong with. */
  subproblems?: readonly ProblemDocument[];
  cause?: unknown;
}

/** A request that ACME's rules turn down: Fault `acme.TYPE`, with what its problem document says. */
export class Problem extends Fault {
  readonly type: ProblemType;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly #details: ProblemDetails;

  constructor(type: ProblemType, detail: string, details: ProblemDetails = {}) {
    super(detail, {
      code: `acme.${type}`,
      blame: type === 'serverInternal' ? 'capstan' : 'caller',
      cause: details.cause,
    });
    this.type = type;
    this.status = details.status ?? statuses[type];
    this.headers = details.headers ?? {};
    this.#details = details;
  }

  document(): ProblemDocument {
    const { algorithms, subproblems } = this.#details;
    return {
      ...problemOf(this.type, this.message),
      status: this.status,
      ...(algorithms ? { algorithms } : {}),
      ...(subproblems ? { subproblems } : {}),
    };
  }
}

/** A problem that is part of another document, such as that of a challenge. */
export function problemOf(type: ProblemType, detail: string): ProblemDocument {
  return { type: `urn:ietf:params:acme:error:${type}`, detail };
}

export const malformed = (detail: string, cause?: unknown) => new Problem('malformed', detail, { cause });
export const unauthorized = (detail: string) => new Problem('unauthorized', detail);
