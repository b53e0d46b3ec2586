import { Fault } from '../../base/fault.ts';

/** Ends the command with this exit status and, on stderr, this message. */
export class Failure extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = 'Failure';
    this.status = status;
  }
}

/** What the command line itself got wrong: status 1. */
export function misuse(message: string): Failure {
  return new Failure(1, message);
}

/** Waits for `work`; where it fails, the command ends with status 2 and `doing: why`. */
export async function attempt<T>(doing: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Fault) throw new Failure(2, `${doing}: ${error.message}`);
    throw error;
  }
}
