import { invalidRequest } from '../faults.ts';
import type { RawFields } from '../routing/fields.ts';
import { notAllowed, type StatusAnswer, type StatusPath, sealStatus } from '../sys/status.ts';
import type { Initialised } from './initialise.ts';
import type { SealedVault } from './sealed-vault.ts';

/** The paths that initialise and unseal: open to anyone, since there is no token yet that could be asked for. */
export function sealPaths(vault: SealedVault): Readonly<Record<string, StatusPath>> {
  return {
    'sys/init': async ({ method, fields }) => {
      if (method === 'GET') return { status: 200, body: { initialized: vault.state().initialized } };
      if (!writes(method)) return notAllowed;
      const given = fields();
      refuseUnserved(given);
      const config = { shares: whole(given, 'secret_shares'), threshold: whole(given, 'secret_threshold') };
      return { status: 200, body: told(await vault.initialise(config)) };
    },
    'sys/unseal': async ({ method, fields }) => {
      if (!writes(method)) return notAllowed;
      const given = fields();
      if (switched(given, 'migrate')) throw invalidRequest('migrate: there is no other kind of seal here');
      if (switched(given, 'reset')) await vault.reset();
      else await vault.offer(readKey(given));
      return statusAnswer(vault);
    },
  };
}

function statusAnswer(vault: SealedVault): StatusAnswer {
  return { status: 200, body: sealStatus(vault.state()) };
}

function writes(method: string): boolean {
  return method === 'PUT' || method === 'POST';
}

function told({ shares, rootToken }: Initialised): Record<string, unknown> {
  const body = {
    keys: shares.map((share) => share.toString('hex')),
    keys_base64: shares.map((share) => share.toString('base64')),
    root_token: rootToken,
  };
  for (const share of shares) share.fill(0);
  return body;
}

/** What would be lost on the caller, who counts on it, is refused before anything is made. */
function refuseUnserved(given: RawFields): void {
  const recovery = ['recovery_shares', 'recovery_threshold', 'recovery_pgp_keys'].filter((name) =>
    isSet(given[name]),
  );
  if (recovery.length > 0) {
    throw invalidRequest(`parameters ${recovery.join(',')} not applicable to seal type shamir`);
  }
  const pgp = ['pgp_keys', 'root_token_pgp_key'].filter((name) => isSet(given[name]));
  if (pgp.length > 0)
    throw invalidRequest(`${pgp.join(', ')}: keys are not encrypted with PGP here; leave it out`);
}

/** Clients send what they were not asked for as zero, null or nothing. */
function isSet(value: unknown): boolean {
  return Array.isArray(value) ? value.length > 0 : Boolean(value);
}

function whole(given: RawFields, name: string): number {
  const value = given[name] ?? 0;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return value;
  throw invalidRequest(`failed to parse JSON input: ${name} must be a whole number`);
}

function switched(given: RawFields, name: string): boolean {
  const value = given[name] ?? false;
  if (typeof value === 'boolean') return value;
  throw invalidRequest(`failed to parse JSON input: ${name} must be true or false`);
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
/** From 16 to 33 bytes: what else reads as hex is tried as base64, as Vault does. */
const hex = /^(?:[0-9a-fA-F]{2}){16,33}$/;

function readKey(given: RawFields): Buffer {
  const key = given.key ?? '';
  if (key === '') {
    throw invalidRequest("'key' must be specified in request body as JSON, or 'reset' set to true");
  }
  if (typeof key === 'string' && hex.test(key)) return Buffer.from(key, 'hex');
  if (typeof key === 'string' && base64.test(key)) return Buffer.from(key, 'base64');
  throw invalidRequest("'key' must be a valid hex or base64 string");
}
