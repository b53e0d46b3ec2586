import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonText, NumberText, parseJson, plainText, quotedList, type Value } from './value.ts';
import { yamlText } from './yaml-text.ts';

test('numbers keep their own digits', () => {
  const value = parseJson('{"serial": 362108562520865298482690188008268341812601922978, "share": 1.50}');
  expect(plainText(value)).toBe('map[serial:362108562520865298482690188008268341812601922978 share:1.50]');
  expect(jsonText(value)).toBe('{"serial":362108562520865298482690188008268341812601922978,"share":1.50}');
});

test('prints values on one line as Go does', () => {
  expect(plainText(parseJson('{"b": [1, "x y", true, null, []], "a": {}}'))).toBe(
    'map[a:map[] b:[1 x y true <nil> []]]',
  );
  expect(quotedList(['root', 'a"b'])).toBe('["root" "a\\"b"]');
  expect(quotedList(null)).toBe('[]');
});

test('JSON sorts maps, keeps the order of structs and escapes what HTML would read', () => {
  const struct = new Map<string, Value>([
    ['z', { b: 1, a: '<&>' }],
    ['a', []],
    ['m', {}],
  ]);
  expect(jsonText(struct)).toBe(String.raw`{"z":{"a":"\u003c\u0026\u003e","b":1},"a":[],"m":{}}`);
  expect(jsonText({ list: [1, null] }, 2)).toBe('{\n  "list": [\n    1,\n    null\n  ]\n}');
});

test('whatever JSON holds comes back the same', () => {
  const text = (value: unknown) => JSON.stringify(value);
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 4 }), fc.constantFrom(0, 2), (document, indent) => {
      const printed = jsonText(parseJson(text(document)), indent);
      expect(JSON.parse(printed)).toEqual(JSON.parse(text(document)));
    }),
  );
});

test('YAML quotes what older readers would misread', () => {
  const lines = yamlText({
    n: new NumberText('1'),
    on: 'on',
    port: '8200',
    date: '2026-01-01',
    version: '1.20.0',
    empty: '',
    url: 'http://127.0.0.1:8200/v1/pki/ca',
    colon: 'a: b',
    policies: ['root'],
    pem: 'one\ntwo\n',
    none: null,
  });
  expect(lines).toBe(
    [
      "colon: 'a: b'",
      'date: "2026-01-01"',
      'empty: ""',
      '"n": 1',
      'none: null',
      '"on": "on"',
      'pem: |',
      '  one',
      '  two',
      'policies:',
      '- root',
      'port: "8200"',
      'url: http://127.0.0.1:8200/v1/pki/ca',
      'version: 1.20.0',
      '',
    ].join('\n'),
  );
});
