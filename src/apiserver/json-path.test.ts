import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileJsonPath } from './json-path.ts';

const certificate = {
  metadata: { name: 'a', annotations: { 'cert-manager.io/issuer': 'vault' } },
  spec: { names: ['x', 'y'], ports: [{ port: 80 }, { port: 443, tls: true }] },
  status: {
    conditions: [
      { type: 'Issuing', status: 'False' },
      { type: 'Ready', status: 'True', message: 'it is "up"' },
    ],
  },
};

test.each([
  ['.metadata.name', ['a']],
  ['{.metadata.name}', ['a']],
  ['$.metadata.name', ['a']],
  ['.metadata.annotations.cert-manager\\.io/issuer', ['vault']],
  [".metadata.annotations['cert-manager\\.io/issuer']", ['vault']],
  ['.spec.names[0]', ['x']],
  ['.spec.names[-1]', ['y']],
  ['.spec.names[*]', ['x', 'y']],
  ['.spec.names[0:1]', ['x']],
  ['.spec.ports[*].port', [80, 443]],
  ['.spec.ports[?(@.tls)].port', [443]],
  ['.spec.ports[?(@.port>100)].port', [443]],
  ['.spec.ports[?(@.port!=443)].port', [80]],
  ['.status.conditions[?(@.type=="Ready")].status', ['True']],
  [".status.conditions[?(@.type == 'Ready')].message", ['it is "up"']],
  ['.status.conditions[?(@.type=="Gone")].status', []],
  ['..port', [80, 443]],
  ['.absent.deeper[0]', []],
])('%s', (path, found) => {
  expect(compileJsonPath(path)?.(certificate)).toEqual(found);
});

test.each(['.a[', '.a[?(x)]', '.a b[', '[?(@.a==)]'])('%s cannot be read', (path) => {
  expect(compileJsonPath(path)).toBeUndefined();
});

test('any path is either refused or answers a list, whatever the value', () => {
  fc.assert(
    fc.property(fc.string(), fc.jsonValue(), (path, value) => {
      const compiled = compileJsonPath(path);
      expect(compiled === undefined || Array.isArray(compiled(value))).toBe(true);
    }),
  );
});
