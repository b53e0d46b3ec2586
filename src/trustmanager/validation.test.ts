import { expect, test } from 'vitest';
import type { Bundle, BundleSpec } from './bundle.ts';
import { bundleErrors } from './validation.ts';

const bundle = (spec: BundleSpec): Bundle => ({
  apiVersion: 'trust.cert-manager.io/v1alpha1',
  kind: 'Bundle',
  metadata: { name: 'roots' },
  spec,
});

const target = { configMap: { key: 'ca.crt' } };

test('the Bundle of the tutorial is right', () => {
  const sources = [{ secret: { name: 'linkerd-identity-issuer', key: 'ca.crt' } }];
  expect(bundleErrors(bundle({ sources, target: { configMap: { key: 'ca-bundle.crt' } } }))).toEqual([]);
});

test.each<[string, BundleSpec, string]>([
  ['no source', { sources: [], target }, 'spec.sources: Forbidden: must define at least one source'],
  [
    'only a default source that is off',
    { sources: [{ useDefaultCAs: false }], target },
    'spec.sources: Forbidden: must define at least one source',
  ],
  [
    'two kinds in one source',
    { sources: [{ inLine: 'x', secret: { name: 'a', key: 'b' } }], target },
    'spec.sources[0]: Forbidden: must define exactly one source type for each item but found 2 defined types',
  ],
  [
    'neither name nor selector',
    { sources: [{ secret: { key: 'b' } }], target },
    `spec.sources[0].secret: Invalid value: "name: ' ', selector: nil": must validate one and only one schema (oneOf): [name, selector]. Found none valid`,
  ],
  [
    'name and selector',
    { sources: [{ configMap: { name: 'a', selector: {}, key: 'b' } }], target },
    'spec.sources[0].configMap: Invalid value: "name: a, selector: {}": must validate one and only one schema (oneOf): [name, selector]. Found both set',
  ],
  [
    'no key',
    { sources: [{ configMap: { name: 'a' } }], target },
    `spec.sources[0].configMap: Invalid value: "key: ' ', includeAllKeys: false": source configMap key must be defined when includeAllKeys is false`,
  ],
  [
    'a key and all keys',
    { sources: [{ secret: { name: 'a', key: 'b', includeAllKeys: true } }], target },
    'spec.sources[0].secret: Invalid value: "key: b, includeAllKeys: true": source secret key cannot be defined when includeAllKeys is true',
  ],
  [
    'the target as its own source',
    { sources: [{ configMap: { name: 'roots', key: 'ca.crt' } }], target },
    'spec.sources[0].configMap.roots.ca.crt: Forbidden: cannot define the same source as target',
  ],
  [
    'default CAs twice',
    { sources: [{ useDefaultCAs: true }, { useDefaultCAs: true }], target },
    'spec.sources: Forbidden: must request default CAs either once or not at all but got 2 requests',
  ],
  [
    'a reserved label',
    {
      sources: [{ inLine: 'x' }],
      target: { configMap: { key: 'k', metadata: { labels: { 'trust.cert-manager.io/bundle': 'b' } } } },
    },
    'spec.target.configMap.metadata.labels: Invalid value: "trust.cert-manager.io/bundle": trust.cert-manager.io/* labels are not allowed',
  ],
  [
    'a selector with an unknown operator',
    {
      sources: [{ inLine: 'x' }],
      target: { ...target, namespaceSelector: { matchExpressions: [{ key: 'a', operator: 'Is' }] } },
    },
    'spec.target.namespaceSelector: Invalid value: "Is" is not a valid label selector operator',
  ],
])('%s is told', (_, spec, error) => {
  expect(bundleErrors(bundle(spec))).toContain(error);
});
