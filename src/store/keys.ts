import { Fault } from '../base/fault.ts';

const keyLimitBytes = 1_024;
const valueLimitBytes = 4 * 1_024 * 1_024;

/**
 * Refuses what no implementation may take, so that a program which works on one store works on all.
 *
 * @throws Fault `store.key` (empty, over 1,024 bytes, a lone surrogate or a NUL), `store.value` (over 4 MiB)
 */
export function checkKey(key: string): void {
  if (key.length > 0 && key.isWellFormed() && !key.includes('\0') && Buffer.byteLength(key) <= keyLimitBytes)
    return;
  throw new Fault(`${JSON.stringify(key.slice(0, 80))} cannot be a key of the store`, {
    code: 'store.key',
    blame: 'capstan',
    fix: `use 1 to ${keyLimitBytes} bytes of well-formed text without NUL`,
  });
}

export function checkValue(key: string, value: Uint8Array): void {
  if (value.byteLength <= valueLimitBytes) return;
  throw new Fault(`the value of ${key} has ${value.byteLength} bytes`, {
    code: 'store.value',
    blame: 'capstan',
    fix: `store at most ${valueLimitBytes} bytes under one key`,
  });
}

/** Negative, zero or positive, by the keys' UTF-8 bytes: JavaScript's own order differs above U+FFFF. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let at = 0; at < length; at++) {
    const left = a.charCodeAt(at);
    const right = b.charCodeAt(at);
    if (left !== right) return codeUnitRank(left) - codeUnitRank(right);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above every other code unit, and so rank after U+E000 to U+FFFF. */
function codeUnitRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

/**
 * The first text after everything that starts with `prefix`, in the order of the bytes; undefined where there is
 * none (an empty prefix, or one of U+10FFFF only).
 */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const point = last.codePointAt(0)!;
    if (point === 0x10ffff) continue;
    // U+D800 to U+DFFF are no characters.
    const next = point === 0xd7ff ? 0xe000 : point + 1;
    return points.join('') + String.fromCodePoint(next);
  }
  return undefined;
}
