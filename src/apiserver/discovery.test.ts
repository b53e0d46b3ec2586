import { expect, test } from 'vitest';
import { compareVersions } from './discovery.ts';

test('versions are preferred as Kubernetes does', () => {
  const mixed = ['v1alpha1', 'foo', 'v1', 'v10', 'v2beta2', 'v2', 'v11alpha2', 'v2beta1', 'bar'];
  expect(mixed.toSorted((a, b) => compareVersions(b, a))).toEqual([
    'v10',
    'v2',
    'v1',
    'v2beta2',
    'v2beta1',
    'v11alpha2',
    'v1alpha1',
    'bar',
    'foo',
  ]);
});
