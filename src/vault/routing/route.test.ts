import { expect, test } from 'vitest';
import { pathPattern } from './route.ts';

const groups = (pattern: string, path: string, listed = false) => {
  const match = pathPattern(pattern, listed).exec(path);
  return match && { ...match.groups };
};

test('a name is one segment of letters, digits and inner dashes and dots', () => {
  expect(groups('issuer/:ref', 'issuer/root-2027.a')).toEqual({ ref: 'root-2027.a' });
  for (const path of ['issuer/', 'issuer/-a', 'issuer/a.', 'issuer/a/b', 'xissuer/a']) {
    expect(groups('issuer/:ref', path)).toBeNull();
  }
});

test('a serial is hexadecimal digits, however they are parted', () => {
  expect(groups('cert/:serial', 'cert/3f:6D-82')).toEqual({ serial: '3f:6D-82' });
  expect(groups('cert/:serial', 'cert/xyz')).toBeNull();
});

test('a star catches the rest, and as little as what follows allows', () => {
  expect(groups('mounts/*path/tune', 'mounts/a/b/tune')).toEqual({ path: 'a/b' });
  expect(groups('policies/acl/*name', 'policies/acl/a b/c')).toEqual({ name: 'a b/c' });
});

test('a list may end in a slash', () => {
  expect(groups('certs', 'certs/', true)).toEqual({});
  expect(groups('certs', 'certs', true)).toEqual({});
  expect(groups('certs', 'certs/')).toBeNull();
});
