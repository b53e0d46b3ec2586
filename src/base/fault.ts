/** Who has to act on a fault. */
export type Blame =
  /** Whoever sent the request or typed the command: what they sent cannot be done. */
  | 'caller'
  /** The far end of a connection: it is down, or it answered what its protocol does not allow. */
  | 'peer'
  /** Whoever runs this process: a port, a folder, a file, a setting. */
  | 'operator'
  /** Capstan itself: a bug. */
  | 'capstan';

export interface FaultDetails {
  /** Stable, dotted, lower-case: `x509.der.truncated`. Part of the interface; never reused for another meaning. */
  code: string;
  blame: Blame;
  /** What the guilty party can do about it, as an imperative sentence without a full stop. */
  fix?: string;
  cause?: unknown;
}

/**
 * The one kind of error that Capstan raises on purpose. Raised inside, mapped once at each wire's edge (Vault's
 * `errors` array, a Kubernetes `Status`, a gRPC status, an exit code). The message says what is wrong with what,
 * and never holds a secret.
 */
export class Fault extends Error {
  readonly code: string;
  readonly blame: Blame;
  readonly fix: string | undefined;

  constructor(message: string, { code, blame, fix, cause }: FaultDetails) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'Fault';
    this.code = code;
    this.blame = blame;
    this.fix = fix;
  }
}

/** The message of anything thrown, with a fault's fix behind it; for logs and terminals. */
export function describeError(error: unknown): string {
  if (error instanceof Fault) return error.fix ? `${error.message}; ${error.fix}` : error.message;
  return error instanceof Error ? error.message : String(error);
}
