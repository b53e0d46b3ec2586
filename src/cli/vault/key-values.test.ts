import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { Failure } from './failure.ts';
import { asTextLists, asTexts, parseKeyValues } from './key-values.ts';
import { jsonText } from './value.ts';

const cwd = mkdtempSync(join(tmpdir(), 'capstan-key-values-'));
writeFileSync(join(cwd, 'request.pem'), 'PEM\n');
writeFileSync(join(cwd, 'role.json'), '{"ttl": 3600, "names": ["a", "b"], "any": true}');
afterAll(() => rmSync(cwd, { recursive: true }));

const parse = (args: string[], stdin = '') =>
  parseKeyValues(args, { cwd, stdin: Readable.from([Buffer.from(stdin)]) }, 'Failed to parse K=V data');

async function problem(args: string[], stdin = ''): Promise<string> {
  const error = await parse(args, stdin).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(error).toBeInstanceOf(Failure);
  return (error as Failure).message;
}

test('values are text, split at the first =', async () => {
  expect(await parse(['ttl=2160h', 'url=http://x?a=b', 'empty=', ''])).toEqual({
    ttl: '2160h',
    url: 'http://x?a=b',
    empty: '',
  });
});

test('a value comes from a file, from stdin, or begins with a plain @', async () => {
  expect(await parse(['csr=@request.pem', 'token=-', String.raw`mail=\@home`], 'from stdin\n')).toEqual({
    csr: 'PEM\n',
    token: 'from stdin\n',
    mail: '@home',
  });
});

test('a lone @file or - is a whole JSON object', async () => {
  expect(jsonText(await parse(['@role.json', 'more=1']))).toBe(
    '{"any":true,"more":"1","names":["a","b"],"ttl":3600}',
  );
  expect(jsonText(await parse(['-'], '{"n": 12345678901234567890}'))).toBe('{"n":12345678901234567890}');
});

test('a key that stands twice makes a list', async () => {
  expect(await parse(['policies=a', 'policies=b', 'policies=c'])).toEqual({ policies: ['a', 'b', 'c'] });
});

test('values for a login or a query are text', async () => {
  const values = await parse(['@role.json', 'x=y']);
  expect(asTextLists(values)).toEqual({ ttl: ['3600'], names: ['a', 'b'], any: ['1'], x: ['y'] });
  expect(asTexts(values)).toMatchObject({ ttl: '3600', any: '1', x: 'y' });
});

test.each([
  [['novalue'], '', 'invalid key/value pair "novalue": format must be key=value'],
  [
    ['a=@gone'],
    '',
    'invalid key/value pair "a=@gone": error reading file: open gone: no such file or directory',
  ],
  [['@gone'], '', 'invalid key/value pair "@gone": open gone: no such file or directory'],
  [['a=@.'], '', 'invalid key/value pair "a=@.": error reading file: read .: is a directory'],
  [['-'], '', 'invalid key/value pair "-": EOF'],
  [
    ['-'],
    '[1]',
    'invalid key/value pair "-": json: cannot unmarshal array into Go value of type map[string]interface {}',
  ],
  [['a=-', 'b=-'], 'x', 'invalid key/value pair "b=-": stdin already consumed'],
])('%j with stdin %j is refused', async (args, stdin, message) => {
  expect(await problem(args, stdin)).toBe(`Failed to parse K=V data: ${message}`);
});
