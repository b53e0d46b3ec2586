import { Fault } from '../base/fault.ts';
import type { HttpResponse } from '../wire/http-client.ts';

/**
 * What an answer of Vault other than success means for whoever asked:
 * `certmanager.vault.refused`: Vault understood and will not, now or later, until somebody changes something;
 * `certmanager.vault.unavailable`: it could not answer (sealed, starting, overloaded), and asking again may help.
 */
export type VaultFaultCode = 'certmanager.vault.refused' | 'certmanager.vault.unavailable';

/** 412 says that a standby has not yet seen what the token was made from; 472 and 473 are standbys too. */
const passing = new Set([408, 412, 425, 429, 472, 473]);

/** The refusal as Vault's own Go client words it, which is what cert-manager's users know and search for. */
export function vaultFault(method: string, url: string, { status, body }: HttpResponse): Fault {
  const errors = errorsIn(body);
  const detail = errors
    ? `Errors:\n\n${errors.map((error) => `* ${error}`).join('\n')}`
    : `Raw Message:\n\n${body.toString('utf8', 0, 512)}`;
  const code: VaultFaultCode =
    status >= 500 || passing.has(status) ? 'certmanager.vault.unavailable' : 'certmanager.vault.refused';
  return new Fault(`Error making API request.\n\nURL: ${method} ${url}\nCode: ${status}. ${detail}`, {
    code,
    blame: code === 'certmanager.vault.refused' ? 'operator' : 'peer',
  });
}

function errorsIn(body: Buffer): string[] | undefined {
  try {
    const { errors } = JSON.parse(body.toString('utf8')) as { errors?: unknown };
    return Array.isArray(errors) ? errors.map(String) : undefined;
  } catch {
    return undefined;
  }
}

/** What Vault complains of, on one line of at most 300 characters; where the body is none of Vault's, as it stands. */
export function complaintIn(body: Buffer): string {
  const errors = errorsIn(body) ?? [body.toString('utf8', 0, 300)];
  return errors.flatMap(listed).join('; ').trim().slice(0, 300);
}

/** Vault's core tells of errors as a list with a heading; engines tell of one, in one line. */
function listed(error: string): string[] {
  if (!/^\d+ errors? occurred:\n/.test(error)) return [error];
  return [...error.matchAll(/^\t\* (.*)$/gm)].map(([, one]) => one!);
}

/**
 * Whether asking again may help: no answer at all, an answer that says "not now", or one that was no sense. A
 * server certificate that is not trusted looks like no answer too; it may be mended on either side at any time.
 */
export function mayPass(error: unknown): boolean {
  return (
    !(error instanceof Fault) ||
    error.code === 'certmanager.vault.unavailable' ||
    error.code.startsWith('wire.')
  );
}
