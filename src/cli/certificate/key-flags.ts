import type { KeySpec } from '../../x509/key.ts';
import { usageFault } from './flags.ts';

export interface KeyFlags {
  kty?: string | undefined;
  crv?: string | undefined;
  curve?: string | undefined;
  size?: string | undefined;
}

const curves = ['P-256', 'P-384', 'P-521'] as const;

/**
 * The kind of key that `--kty`, `--crv` (or `--curve`) and `--size` ask for; P-256 where they say nothing.
 *
 * @throws Fault `cli.usage` for what does not go together
 */
export function readKeySpec({ kty, crv, curve = crv, size }: KeyFlags, command: string): KeySpec {
  const refuse = (message: string) => usageFault(message, command);
  if (kty === undefined) {
    if (curve !== undefined) throw refuse("flag '--curve' requires the '--kty' flag");
    if (size !== undefined) throw refuse("flag '--size' requires the '--kty' flag");
    return { type: 'ec', curve: 'P-256' };
  }
  if (kty === 'RSA') {
    if (curve !== undefined) throw refuse("flag '--curve' is incompatible with '--kty RSA'");
    if (size !== undefined && !/^\d+$/.test(size)) throw refuse(`invalid value '${size}' for flag '--size'`);
    return { type: 'rsa', bits: Number(size ?? 2048) };
  }
  if (size !== undefined) throw refuse(`flag '--size' is incompatible with '--kty ${kty}'`);
  if (kty === 'EC') {
    const known = curves.find((one) => one === (curve ?? 'P-256'));
    if (known) return { type: 'ec', curve: known };
    throw refuse(`flag '--kty EC' is incompatible with '--curve ${curve}'; options are ${curves.join(', ')}`);
  }
  if (kty !== 'OKP') throw refuse(`invalid value '${kty}' for flag '--kty'; options are RSA, EC, OKP`);
  if ((curve ?? 'Ed25519') === 'Ed25519') return { type: 'ed25519' };
  throw refuse(`flag '--kty OKP' is incompatible with '--curve ${curve}'; the option is Ed25519`);
}
