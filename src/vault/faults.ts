import { Fault } from '../base/fault.ts';

/** What a client asked for cannot be done as asked: status 400, with `message` in Vault's words where it has any. */
export function invalidRequest(message: string, cause?: unknown): Fault {
  return new Fault(message, { code: 'vault.request.invalid', blame: 'caller', cause });
}

/** The same where Vault answers an error alone: who has a token reads it among the errors that occurred. */
export function rejected(message: string): Fault {
  return new Fault(message, { code: 'vault.request.rejected', blame: 'caller' });
}

/** What Vault does not own up to be the client's mistake: status 500, told in the form of `rejected`. */
export function failed(message: string, cause?: unknown): Fault {
  return new Fault(message, { code: 'vault.request.failed', blame: 'caller', cause });
}

/** Errors that an engine of Vault's returns without an answer, so that its core tells of them. */
const bare: ReadonlySet<string> = new Set([
  'vault.request.rejected',
  'vault.request.failed',
  'authority.issuer.absent',
  'authority.issuer.keyless',
  'authority.issuer.usage',
  'authority.key.absent',
  'authority.urls.template',
]);

/** What the core makes of an error on its way to a client whose token is good. */
export function asTold(error: unknown): unknown {
  if (!(error instanceof Fault) || !bare.has(error.code)) return error;
  const { code, blame } = error;
  return new Fault(coreMessage(error.message), { code, blame, cause: error });
}

/** The multi-line form in which Vault reports what its core, rather than an engine, found wrong. */
export function coreMessage(...errors: readonly string[]): string {
  const head = errors.length === 1 ? '1 error occurred' : `${errors.length} errors occurred`;
  return `${head}:\n${errors.map((error) => `\t* ${error}\n`).join('')}\n`;
}

export function permissionDenied(...more: readonly string[]): Fault {
  return new Fault(coreMessage('permission denied', ...more), { code: 'vault.denied', blame: 'caller' });
}

/** The same in one line, as engines say it. */
export function denied(message: string): Fault {
  return new Fault(message, { code: 'vault.denied', blame: 'caller' });
}

/** What a request names is not there. */
export function absent(message: string): Fault {
  return new Fault(message, { code: 'vault.absent', blame: 'caller' });
}

export function unsupportedPath(): Fault {
  return new Fault(coreMessage('unsupported path'), { code: 'vault.path.unsupported', blame: 'caller' });
}

export function unsupportedOperation(): Fault {
  return new Fault(coreMessage('unsupported operation'), {
    code: 'vault.operation.unsupported',
    blame: 'caller',
  });
}

/** No mount holds `path`. Clients look for these words to tell a missing mount from a missing entry. */
export function noHandler(path: string): Fault {
  return new Fault(`no handler for route ${JSON.stringify(path)}. route entry not found.`, {
    code: 'vault.path.unrouted',
    blame: 'caller',
  });
}

const statuses: Readonly<Record<string, number>> = {
  'vault.denied': 403,
  'vault.absent': 404,
  'vault.path.unsupported': 404,
  'vault.path.unrouted': 404,
  'vault.operation.unsupported': 405,
  'vault.media-type': 415,
  'vault.request.failed': 500,
  'vault.quota': 429,
  'vault.sealed': 503,
  'vault.seal.away': 503,
  'vault.managed-key.away': 503,
  'authority.crl.absent': 500,
  'authority.issuer.absent': 500,
  'authority.issuer.keyless': 500,
  'authority.issuer.usage': 500,
  'authority.key.absent': 500,
  'authority.urls.template': 500,
  'wire.body.large': 413,
  // What the request was decided from kept changing: worth another try.
  'store.conflict': 503,
  'store.unavailable': 503,
};

/** The HTTP status that a fault maps to; 500 for what is not a caller's mistake. */
export function statusOf(fault: Fault): number {
  return statuses[fault.code] ?? (fault.blame === 'caller' ? 400 : 500);
}
