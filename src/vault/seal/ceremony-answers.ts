import { invalidRequest } from '../faults.ts';
import type { RawFields } from '../routing/fields.ts';
import { isSet } from './body-values.ts';
import { toldShares } from './key-shares.ts';
import type { Rekey, RekeyResult } from './rekey.ts';
import { otpLength, type RootGeneration } from './root-generation.ts';

/** The answers of Vault's paths to ceremonies; OpenBao's wrap the same in its envelope. */
export type Body = Readonly<Record<string, unknown>>;

/** Of `sys/rekey/init`. */
export function rekeyStatus(rekey: Rekey): Body {
  const status = rekey.status();
  return {
    nonce: status.nonce,
    started: status.started,
    t: status.threshold,
    n: status.shares,
    progress: status.progress,
    required: status.required,
    pgp_fingerprints: null,
    backup: false,
    verification_required: status.verificationRequired,
    ...named(status.verificationNonce),
  };
}

/** Of `sys/rekey/update`, once there were enough shares. */
export function rekeyDone(
  nonce: string,
  { shares, verificationRequired, verificationNonce }: RekeyResult,
): Body {
  const told = toldShares(shares);
  return {
    nonce,
    complete: true,
    keys: told.hex,
    keys_base64: told.base64,
    pgp_fingerprints: null,
    backup: false,
    verification_required: verificationRequired,
    ...named(verificationNonce),
  };
}

function named(nonce: string): Body {
  return nonce ? { verification_nonce: nonce } : {};
}

/** Of `sys/rekey/verify`. */
export function verificationStatus(rekey: Rekey): Body {
  const { nonce, started, shares, threshold, progress } = rekey.verification();
  return { nonce, started, t: threshold, n: shares, progress };
}

/** Of `sys/generate-root/attempt`. */
export function rootStatus(generation: RootGeneration, otp = ''): Body {
  return { ...rootAnswer(generation.status()), otp, otp_length: otpLength };
}

/** Of `sys/generate-root/update`. */
export function rootProgress(
  nonce: string,
  required: number,
  { progress, encodedToken }: { progress: number; encodedToken: string },
): Body {
  return {
    ...rootAnswer({ nonce, started: true, progress, required }),
    complete: encodedToken !== '',
    encoded_token: encodedToken,
    encoded_root_token: encodedToken,
  };
}

function rootAnswer({ nonce, started, progress, required }: ReturnType<RootGeneration['status']>): Body {
  return {
    nonce,
    started,
    progress,
    required,
    complete: false,
    encoded_token: '',
    encoded_root_token: '',
    pgp_fingerprint: '',
    otp: '',
    otp_length: 0,
  };
}

/** What would be lost on the caller, who counts on it, is refused before anything begins. @throws Fault `vault.request.invalid` */
export function refusePgp(given: RawFields, ...names: readonly string[]): void {
  if (isSet(given.backup)) {
    throw invalidRequest(
      'cannot request a backup of the new keys without providing PGP keys for encryption, which are not supported here',
    );
  }
  const pgp = names.filter((name) => isSet(given[name]));
  if (pgp.length > 0)
    throw invalidRequest(`${pgp.join(', ')}: keys are not encrypted with PGP here; leave it out`);
}
