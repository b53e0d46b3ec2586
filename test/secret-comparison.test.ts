import { expect, test } from 'vitest';
import { sources } from '../tools/sources.ts';

/**
 * How long a comparison takes tells how much of a guess is right, unless it looks at all of it: OpenBao's recovery
 * token was compared so that it did (GHSA-34fc-gh42-pj53). Secrets that are presented to the seal are compared by
 * `sameSecret` alone, and tokens and secret ids are not compared at all but looked up under a keyed hash. This reads
 * the sources of their rooms for any other way.
 */
const rooms = [
  'src/vault/auth/approle',
  'src/vault/cubbyhole',
  'src/vault/seal',
  'src/vault/token',
  'src/vault/wrapping',
];

const secret =
  '(?:\\w*(?:[sS]hare|[kK]ey|[sS]ecret|[sS]ecretId|secret_id|[oO]tp|[pP]assword|[pP]in)|held|kept|returned|id|token|locked)';
/** Names of keys, which are told to anyone, and records of secret ids, which do not hold them. */
const noSecrets = /\bkey_id !== current\.id\b|\bleft !== found\.secretId\b/;
/** What a comparison may stand beside: it tells whether there is something, not what. */
const presence = "(?:undefined|null|''|0|false|true|'[\\w-]*'|typeof\\b.*)";
const operand = '[\\w$.#?!]+';

/** A text beside its own other spelling: nothing in it is unknown to who presents it. */
const ownSpelling = "id !== batchPrefix + bytes.toString('base64url')";

function findings(text: string): string[] {
  const lines = text.split('\n').filter((line) => !/^\s*(?:\/\/|\*|\/\*)/.test(line));
  return lines.filter((line) => {
    if (line.includes(ownSpelling) || noSecrets.test(line)) return false;
    if (/\.(?:equals|compare|localeCompare)\(|Buffer\.compare|isDeepStrictEqual/.test(line)) return true;
    if (new RegExp(`\\.(?:includes|indexOf|lastIndexOf)\\((?:${operand}\\.)?${secret}\\)`).test(line))
      return true;
    const comparisons = line.matchAll(
      new RegExp(`(${operand}(?:\\([^()]*\\))?)\\s*[!=]==?\\s*(${presence}|${operand})`, 'g'),
    );
    return [...comparisons].some(([, left, right]) => {
      if (new RegExp(`^${presence}$`).test(right!)) return false;
      return [left!, right!].some((side) =>
        new RegExp(`(?:^|[.#?!])${secret}[!?]?(?:\\.toString\\(.*\\))?$`).test(side),
      );
    });
  });
}

test.each([
  'if (share === held) return;',
  'return given.key !== this.#key;',
  "if (key.toString('hex') === kept) {",
  'return Buffer.compare(a, b) === 0;',
  'if (left.equals(right)) return;',
  'if (shares.includes(share)) return;',
  'const same = presented.id === token.id;',
  'if (otp == attempt.otp)',
  'if (fields.secret_id === found) return;',
  'if (given.secretId !== role.secretId) return;',
])('%s would be found', (line) => {
  expect(findings(line)).toEqual([line]);
});

test.each([
  "if (key === '') throw x;",
  'if (share === undefined) return;',
  'return left.length === right.length && timingSafeEqual(left, right);',
  "if (typeof key === 'string') return;",
  'if (given === nonce) return;',
])('%s is let be', (line) => {
  expect(findings(line)).toEqual([]);
});

test('no secret is compared in a way that tells how much of it is right', () => {
  const read = rooms.flatMap(sources).filter(({ path }) => !path.endsWith('.test.ts'));
  expect(read.length).toBeGreaterThan(20);
  expect(read.flatMap(({ path, text }) => findings(text).map((line) => `${path}: ${line.trim()}`))).toEqual(
    [],
  );
});

test('one function compares secrets, and looks at all of both', () => {
  const using = rooms
    .flatMap(sources)
    .filter(({ text }) => text.includes('timingSafeEqual('))
    .map(({ path }) => path);
  expect(using).toEqual(['src/vault/seal/key-shares.ts']);
});

test('tokens are found under a keyed hash of their text, never under the text', () => {
  const [tokens] = sources('src/vault/token').filter(({ path }) => path.endsWith('/tokens.ts'));
  expect(tokens!.text).toMatch(/createHmac\('sha256', this\.#salt\)/);
  // The record of a token is asked for by its name, which is such a hash.
  expect(tokens!.text).not.toMatch(/keyOf\.\w+\((?:id|presented\.id)\)/);
});

test('secret ids are found under a keyed hash of their text, never under the text', () => {
  const files = sources('src/vault/auth/approle').filter(({ path }) => !path.endsWith('.test.ts'));
  const [role] = files.filter(({ path }) => path.endsWith('/app-role.ts'));
  expect(role!.text).toMatch(/function secretIdHmac[^]*createHmac\('sha256'/);
  const keys = files.flatMap(({ text }) => [...text.matchAll(/keyOf\.secretId\(([^()]*(?:\([^()]*\))?)\)/g)]);
  expect(keys.length).toBeGreaterThan(3);
  for (const [, given] of keys) expect(given).toMatch(/, (?:found\.)?hmac$/);
});
