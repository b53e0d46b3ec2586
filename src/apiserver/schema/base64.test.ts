import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { base64Problem, canonicalBase64 } from './base64.ts';

/** Each text with the byte that Go's encoding/base64 complains of, where it does. */
const judged: readonly (readonly [text: string, at: number | undefined])[] = [
  ['', undefined],
  ['QUJD', undefined],
  ['QUI=', undefined],
  ['Q\nUI=\r\n', undefined],
  ['QR==', undefined],
  ['Q', 0],
  ['QUJDQ', 4],
  ['QUJDQ\n', 5],
  ['=', 0],
  ['Q===', 1],
  ['QQ=', 3],
  ['QQ=A', 2],
  ['QQ==A', 4],
  ['QUI=\nQ', 5],
  ['not base64!', 3],
  ['QU-D', 2],
  ['Qé==', 1],
];

test.each(judged)('%j is read as Go reads it', (text, at) => {
  expect(base64Problem(text)).toBe(at === undefined ? undefined : `illegal base64 data at input byte ${at}`);
});

test('what is written canonically is accepted, and again the same bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const text = Buffer.from(bytes).toString('base64');
      expect(base64Problem(text)).toBeUndefined();
      expect(canonicalBase64(text.replaceAll(/.{3}/g, '$&\n'))).toBe(text);
    }),
  );
});
