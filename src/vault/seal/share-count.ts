import type { Entropy } from '../../base/entropy.ts';
import { shareLimit, splitSecret } from './shamir.ts';

/** Into how many shares a key is split, and how many of them give it back. */
export interface ShareCount {
  shares: number;
  threshold: number;
}

/** Why shares cannot be so, in Vault's words (vault/seal.go, SealConfig.Validate). */
export function shareCountProblem({ shares, threshold }: ShareCount): string | undefined {
  if (shares < 1) return 'shares must be at least one';
  if (threshold < 1) return 'threshold must be at least one';
  if (shares > 1 && threshold === 1) return 'threshold must be greater than one for multiple shares';
  if (shares > shareLimit) return 'shares must be less than 256';
  if (threshold > shareLimit) return 'threshold must be less than 256';
  if (threshold > shares) return 'threshold cannot be larger than shares';
  return undefined;
}

/** The shares of `key`; a single one is the key itself. */
export function sharesOf(key: Buffer, count: ShareCount, entropy: Entropy): Buffer[] {
  return count.shares === 1 ? [Buffer.from(key)] : splitSecret(key, count, entropy);
}
