import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalNamespace } from './connection.ts';
import { curlCommand, policyFor, requestUrl } from './request.ts';

test.each([
  ['http://0.0.0.0:8200/', 'auth/token/create', 'http://0.0.0.0:8200/v1/auth/token/create'],
  ['http://0.0.0.0:8200', 'sys/mounts/pki/', 'http://0.0.0.0:8200/v1/sys/mounts/pki'],
  ['http://0.0.0.0:8200', 'sys/mounts/pki//tune', 'http://0.0.0.0:8200/v1/sys/mounts/pki/tune'],
  ['https://gate.example/vault/', 'pki/ca', 'https://gate.example/vault/v1/pki/ca'],
  ['http://x', 'a/./b/../c', 'http://x/v1/a/c'],
  ['http://x', 'ro les/a?b%c', 'http://x/v1/ro%20les/a%3Fb%25c'],
  ['http://x', "a&+;,=@:$!'()*", 'http://x/v1/a&+;,=@:$%21%27%28%29%2A'],
])('%s and %s make %s', (address, path, url) => {
  expect(requestUrl(address, path)).toBe(url);
});

test('the query is sorted and escaped as a form', () => {
  const query = { list: 'true', after: 'a b&c', x: ['2', '1'] };
  expect(requestUrl('http://x', 'p', query)).toBe('http://x/v1/p?after=a+b%26c&list=true&x=1&x=2');
});

test('a path of plain parts arrives as it is', () => {
  const part = fc.string({ minLength: 1 }).filter((text) => !/^\.+$|\//.test(text));
  fc.assert(
    fc.property(fc.array(part, { minLength: 1, maxLength: 4 }), (parts) => {
      const { pathname } = new URL(requestUrl('http://x/', parts.join('/')));
      expect(pathname.split('/').slice(2).map(decodeURIComponent)).toEqual(parts);
    }),
  );
});

test('the curl command asks for the token instead of showing it, and quotes for the shell', () => {
  const command = curlCommand({
    method: 'PUT',
    url: 'http://x/v1/a?b=1',
    headers: { 'X-Vault-Token': 'hvs.secret', 'X-Vault-Request': 'true' },
    body: `{"name":"it's"}`,
    insecure: true,
    files: { ca: "/c'a.pem" },
  });
  expect(command).toBe(
    `curl --insecure -X PUT --cacert '/c'"'"'a.pem' -H "X-Vault-Request: true" ` +
      `-H "X-Vault-Token: $(capstan vault print token)" -d '{"name":"it'"'"'s"}' "http://x/v1/a?b=1"`,
  );
  expect(command).not.toContain('secret');
});

test('a policy allows just the request', () => {
  expect(policyFor({ method: 'PUT', path: '/pki//roles/web' })).toBe(
    'path "pki/roles/web" {\n  capabilities = ["create", "update"]\n}',
  );
  expect(policyFor({ method: 'GET', path: 'pki/roles', query: { list: 'true' } })).toContain('["list"]');
});

test('a namespace has one slash behind and none in front', () => {
  expect(['', '/', 'a', '/a//b/', './a'].map(canonicalNamespace)).toEqual(['', '', 'a/', 'a/b/', 'a/']);
});
