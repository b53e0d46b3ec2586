import { type Blame, describeError, Fault } from '../base/fault.ts';

/** The numbers of gRPC's statuses (grpc/grpc, doc/statuscodes.md). */
export const grpcCodes = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  'invalid-argument': 3,
  'deadline-exceeded': 4,
  'not-found': 5,
  'already-exists': 6,
  'permission-denied': 7,
  'resource-exhausted': 8,
  'failed-precondition': 9,
  aborted: 10,
  'out-of-range': 11,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  'data-loss': 15,
  unauthenticated: 16,
} as const;

export type GrpcCode = keyof typeof grpcCodes;

/** A status that is not `ok`, as a fault `grpc.<code>`: what a server's method throws and a client's call raises. */
export function grpcFault(code: Exclude<GrpcCode, 'ok'>, message: string, cause?: unknown): Fault {
  return new Fault(message, {
    code: `grpc.${code}`,
    blame: blames[code] ?? 'capstan',
    ...(cause === undefined ? {} : { cause }),
  });
}

const blames: Partial<Record<GrpcCode, Blame>> = {
  cancelled: 'caller',
  'invalid-argument': 'caller',
  'failed-precondition': 'caller',
  'permission-denied': 'caller',
  'resource-exhausted': 'caller',
  unauthenticated: 'caller',
  unimplemented: 'caller',
  'deadline-exceeded': 'peer',
  unavailable: 'peer',
  unknown: 'peer',
};

/** Undefined for anything that is not a `grpc.<code>` fault. */
export function grpcCodeOf(error: unknown): GrpcCode | undefined {
  if (!(error instanceof Fault) || !error.code.startsWith('grpc.')) return undefined;
  const code = error.code.slice('grpc.'.length);
  return Object.hasOwn(grpcCodes, code) ? (code as GrpcCode) : undefined;
}

export interface GrpcStatus {
  code: GrpcCode;
  message: string;
}

/**
 * What the far end is told of something thrown: a gRPC fault as it is, any other fault by whose fault it is, and
 * of a bug only that there is one.
 */
export function statusOf(error: unknown): GrpcStatus {
  const code = grpcCodeOf(error);
  if (code) return { code, message: (error as Fault).message };
  if (!(error instanceof Fault)) return { code: 'internal', message: 'internal error' };
  const byBlame = {
    caller: 'invalid-argument',
    peer: 'unavailable',
    operator: 'internal',
    capstan: 'internal',
  };
  return { code: byBlame[error.blame] as GrpcCode, message: describeError(error) };
}

export function grpcCodeFromNumber(number: number): GrpcCode {
  const found = Object.entries(grpcCodes).find(([, value]) => value === number);
  return (found?.[0] as GrpcCode | undefined) ?? 'unknown';
}
