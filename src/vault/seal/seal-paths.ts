import { invalidRequest } from '../faults.ts';
import { formatInstant } from '../instant.ts';
import type { RawFields } from '../routing/fields.ts';
import { notAllowed, type SealState, type StatusAnswer, type StatusPath, sealStatus } from '../sys/status.ts';
import { isSet, switched, whole } from './body-values.ts';
import type { Initialised } from './initialise.ts';
import { readShare, toldShares } from './key-shares.ts';
import type { SealWatch } from './seal-watch.ts';
import type { SealedVault } from './sealed-vault.ts';

/** The paths that initialise and unseal: open to anyone, since there is no token yet that could be asked for. */
export function sealPaths(vault: SealedVault): Readonly<Record<string, StatusPath>> {
  return {
    'sys/init': async ({ method, fields }) => {
      if (method === 'GET')
        return { status: 200, body: { initialized: (await vault.currentState()).initialized } };
      if (!writes(method)) return notAllowed;
      const given = fields();
      const { type, recovery } = vault.state();
      refuseUnserved(given, vault.state());
      const kind = recovery ? 'recovery' : 'secret';
      const count = { shares: whole(given, `${kind}_shares`), threshold: whole(given, `${kind}_threshold`) };
      return { status: 200, body: told(await vault.initialise(count), type !== 'shamir') };
    },
    'sys/unseal': async ({ method, fields }) => {
      if (!writes(method)) return notAllowed;
      const given = fields();
      const migrate = switched(given, 'migrate');
      if (switched(given, 'reset')) await vault.reset();
      else await vault.offer(readShare(given, ", or 'reset' set to true"), migrate);
      return statusAnswer(vault);
    },
  };
}

/** Whether what unseals still works: Vault's answer of 1.16 and later. Shares always do. */
export function sealHealthPath(
  type: string,
  watch: SealWatch | undefined,
): Readonly<Record<string, StatusPath>> {
  return {
    'sys/seal-backend-status': ({ method }) => {
      if (method !== 'GET') return notAllowed;
      const sinceMs = watch?.unhealthySinceMs();
      const seen =
        sinceMs === undefined
          ? { healthy: true }
          : { healthy: false, unhealthy_since: formatInstant(sinceMs) };
      return { status: 200, body: { ...seen, backends: [{ name: type, ...seen }] } };
    },
  };
}

function statusAnswer(vault: SealedVault): StatusAnswer {
  return { status: 200, body: sealStatus(vault.state()) };
}

function writes(method: string): boolean {
  return method === 'PUT' || method === 'POST';
}

function told({ shares, rootToken }: Initialised, recovery: boolean): Record<string, unknown> {
  const { hex, base64 } = toldShares(shares);
  return {
    ...(recovery
      ? { keys: [], keys_base64: [], recovery_keys: hex, recovery_keys_base64: base64 }
      : { keys: hex, keys_base64: base64 }),
    root_token: rootToken,
  };
}

/** What would be lost on the caller, who counts on it, is refused before anything is made. */
function refuseUnserved(given: RawFields, { type, recovery }: SealState): void {
  const other = recovery ? 'secret' : 'recovery';
  const misplaced = [`${other}_shares`, `${other}_threshold`, recovery ? 'pgp_keys' : 'recovery_pgp_keys'];
  const set = misplaced.filter((name) => isSet(given[name]));
  if (set.length > 0) throw invalidRequest(`parameters ${set.join(',')} not applicable to seal type ${type}`);
  const pgp = ['pgp_keys', 'recovery_pgp_keys', 'root_token_pgp_key'].filter((name) => isSet(given[name]));
  if (pgp.length > 0)
    throw invalidRequest(`${pgp.join(', ')}: keys are not encrypted with PGP here; leave it out`);
}
