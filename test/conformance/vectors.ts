import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Fault } from '../../src/base/fault.ts';
import type { Verdict } from '../../src/x509/verify.ts';

/** One expectation of a set of test vectors. */
export interface ConformanceCase {
  id: string;
  /** Does what the case asks for; answers what came out otherwise than it should, undefined where nothing did. */
  difference: () => string | undefined;
}

/** A set of test vectors that others wrote. */
export interface ConformanceSet {
  name: string;
  /** How many cases there are, so that none goes missing unseen. */
  size: number;
  /** Reads them from the folder that holds all sets. */
  cases: (folder: string) => ConformanceCase[];
  /** Cases whose expectation is wrong or contradicts another one: id -> reason. */
  exempt: Readonly<Record<string, string>>;
}

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');

/** The folder of all sets; undefined where it is not there. */
export function vectorsFolder(given: string | undefined): string | undefined {
  const folder = resolve(repository, given ?? '../shared/vectors');
  return existsSync(folder) ? folder : undefined;
}

/** A verdict; input that cannot be read is refused as surely as a chain that does not verify. */
export function verdictOf(verify: () => Verdict): Verdict {
  try {
    return verify();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { valid: false, code: error.code, reason: error.message };
  }
}

export function validityDifference(verdict: Verdict, expected: boolean): string | undefined {
  if (verdict.valid === expected) return undefined;
  return verdict.valid ? 'is accepted' : `is refused: ${verdict.code}: ${verdict.reason}`;
}
