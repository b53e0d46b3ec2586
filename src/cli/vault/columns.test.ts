import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { paragraph, table } from './columns.ts';

test('columns are four apart, an empty cell says n/a, and nothing follows the last cell of a row', () => {
  expect(
    table(
      ['Path', 'Type', 'Description'],
      [
        ['sys/', 'system', 'endpoints'],
        ['pki/', 'pki', ''],
        ['∞/', ' kv '],
      ],
    ).split('\n'),
  ).toEqual([
    'Path    Type      Description',
    '----    ----      -----------',
    'sys/    system    endpoints',
    'pki/    pki       n/a',
    '∞/      kv',
  ]);
});

test("breaks Vault's own sentences where Vault breaks them", () => {
  expect(
    paragraph(
      'Success! You are now authenticated. The token information displayed below is already stored in the token ' +
        'helper. You do NOT need to run "vault login" again. Future Vault requests will automatically use this token.',
    ).split('\n'),
  ).toEqual([
    'Success! You are now authenticated. The token information displayed below',
    'is already stored in the token helper. You do NOT need to run "vault login"',
    'again. Future Vault requests will automatically use this token.',
  ]);
  expect(
    paragraph(
      '* TTL of "2400h" exceeded the effective max_ttl of "768h"; TTL value is capped accordingly',
      2,
    ),
  ).toBe('  * TTL of "2400h" exceeded the effective max_ttl of "768h"; TTL value is\n  capped accordingly');
});

test('keeps every word, and goes past the limit only for a word that is longer by itself', () => {
  const word = fc.stringMatching(/^[a-z]{1,100}$/);
  fc.assert(
    fc.property(
      fc.array(word, { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 0, max: 8 }),
      (words, indent) => {
        const lines = paragraph(words.join(' '), indent).split('\n');
        expect(lines.flatMap((line) => line.trim().split(' '))).toEqual(words);
        for (const line of lines) {
          expect(line.startsWith(' '.repeat(indent))).toBe(true);
          if (line.trim().includes(' ')) expect(line.length).toBeLessThanOrEqual(78);
        }
      },
    ),
  );
});
