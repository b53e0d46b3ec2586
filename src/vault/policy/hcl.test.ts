import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { type HclItem, type HclObject, type HclValue, isHclObject, parseHcl, parseHclJson } from './hcl.ts';

/** Values without positions, objects as `[keys, value]` pairs. */
function plain(value: HclValue): unknown {
  if (isHclObject(value)) return { items: value.items.map(({ keys, value }) => [keys, plain(value)]) };
  return Array.isArray(value) ? (value as HclValue[]).map(plain) : value;
}

const read = (source: string) => plain(parseHcl(source)) as { items: unknown[] };
const failure = (source: string) => {
  try {
    parseHcl(source);
  } catch (error) {
    return (error as Error).message;
  }
  return 'it was accepted';
};

test('reads a policy as people write it', () => {
  const source = `
    # a comment
    path "secret/*" { capabilities = ["read", "list"] } // another
    path "pki" {
      /* and
         a third */
      capabilities = [
        "create",
        "update",
      ]
      max_wrapping_ttl = 1.5e1, comment = <<EOT
two
lines
EOT
      "quoted-key" = true
      nested = { a = -3, b = 0x1F }
    }`;
  expect(read(source).items).toEqual([
    [['path', 'secret/*'], { items: [[['capabilities'], ['read', 'list']]] }],
    [
      ['path', 'pki'],
      {
        items: [
          [['capabilities'], ['create', 'update']],
          [['max_wrapping_ttl'], 15],
          [['comment'], 'two\nlines\n'],
          [['quoted-key'], true],
          [
            ['nested'],
            {
              items: [
                [['a'], -3],
                [['b'], 31],
              ],
            },
          ],
        ],
      },
    ],
  ]);
});

test('takes the common indentation off a here document that asks for it', () => {
  expect(read('a = <<-X\n    one\n      two\n\n    X\n').items).toEqual([[['a'], 'one\n  two\n\n']]);
});

test('reads every escape, and leaves ${} alone', () => {
  expect(read(String.raw`a = "\n\t\"\\ \u00e9 \U0001F600 \x41 \101 ${'$'}{b}"`).items).toEqual([
    [['a'], '\n\t"\\ é 😀 A A ${b}'],
  ]);
});

test('an empty document is an empty policy', () => {
  for (const source of ['', '\n\n', '# only a comment', '\ufeff/* and this */'])
    expect(read(source).items).toEqual([]);
});

test.each([
  ['path "a" {', 'At 1:11: expected a key, found the end'],
  ['path "a" }', 'At 1:10: expected "=" or "{", found "}"'],
  ['\n  a = ', 'At 2:7: expected a value, found the end'],
  ['a = [1 2]', 'At 1:8: expected "," or "]", found 2'],
  ['a = "unclosed\n', 'At 1:5: this text has no closing quote on its line'],
  ['/* unclosed', 'At 1:1: this comment has no end'],
  ['a = <<EOT\nb\n', 'At 1:5: the text that <<EOT begins has no line EOT at its end'],
  [String.raw`a = "\q"`, String.raw`At 1:5: unknown escape \q`],
  [String.raw`a = "\ud800"`, String.raw`At 1:5: \ud800 is no character`],
  ['a = maybe', 'At 1:5: expected a value, found "maybe"'],
  ['a "b" = 1', 'At 1:7: several keys take an object, not "="'],
  ['a = 1; b = 2', 'At 1:6: unexpected ";"'],
  ['= 1', 'At 1:1: expected a key, found "="'],
  ['a = 12monkeys', 'At 1:5: unexpected "1"'],
  [`a = ${'['.repeat(60)}`, 'At 1:55: nested more than 50 deep'],
  ['a {'.repeat(60), 'At 1:153: nested more than 50 deep'],
])('refuses %j with the place', (source, message) => {
  expect(failure(source)).toBe(message);
});

test('JSON says the same as HCL', () => {
  const json = '{"path": {"a": {"capabilities": ["read"], "n": 1, "gone": null}}}';
  expect(plain(parseHclJson(json))).toEqual(read('path = { a = { capabilities = ["read"], n = 1 } }'));
  expect(() => parseHclJson('{"path": ')).toThrow(/begins like JSON and is none/);
});

const value: fc.Arbitrary<HclValue> = fc.letrec<{ value: HclValue; object: HclObject }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.string({ unit: 'grapheme' }),
    fc.integer(),
    fc.boolean(),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
  ),
  object: fc.array(fc.tuple(fc.string({ minLength: 1 }), tie('value')), { maxLength: 3 }).map(
    (entries): HclObject => ({
      items: entries.map(([key, value]): HclItem => ({ keys: [key], value, at: { line: 1, column: 1 } })),
    }),
  ),
})).object;

function write(value: HclValue): string {
  if (isHclObject(value))
    return `{\n${value.items.map(({ keys, value }) => `${quote(keys[0])} = ${write(value)}`).join('\n')}\n}`;
  if (Array.isArray(value)) return `[${(value as HclValue[]).map(write).join(', ')}]`;
  return typeof value === 'string' ? quote(value) : JSON.stringify(value);
}

function quote(text: string): string {
  return `"${text.replaceAll(/[\\"\n\r\t]/g, (c) => ({ '\n': '\\n', '\r': '\\r', '\t': '\\t' })[c] ?? `\\${c}`)}"`;
}

test('reads back whatever can be written', () => {
  fc.assert(
    fc.property(value, (document) => {
      const source = write(document).slice(1, -1);
      expect(plain(parseHcl(source))).toEqual(plain(document));
    }),
  );
});

test('any text is either read or refused with a fault that says where', () => {
  const pieces = fc.constantFrom(
    'path',
    '"a/*"',
    '{',
    '}',
    '[',
    ']',
    '=',
    ',',
    '"',
    '\n',
    '<<E\n',
    'E\n',
    '#',
    '/*',
    '\\',
    '1',
    'é',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(pieces).map((parts) => parts.join('')),
      ),
      (source) => {
        const message = failure(source);
        if (message !== 'it was accepted') expect(message).toMatch(/^At \d+:\d+: ./);
      },
    ),
    { numRuns: 500 },
  );
});
