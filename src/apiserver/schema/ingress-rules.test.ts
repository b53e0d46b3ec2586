import { expect, test } from 'vitest';
import { prepareCreate, prepareUpdate } from './builtin-rules.ts';
import type { FieldError } from './field-error.ts';
import type { Json } from './structural.ts';

const networking = (kind: string) => ({ group: 'networking.k8s.io', kind });
const texts = (errors: readonly FieldError[]) => errors.map(({ field, message }) => `${field}: ${message}`);
const refused = (spec: Json) => texts(prepareCreate(networking('Ingress'), { spec }).errors);
const service = { service: { name: 'web', port: { number: 80 } } };
const path = { path: '/', pathType: 'Prefix', backend: service };
const withPath = (change: Json) => ({ rules: [{ http: { paths: [{ ...path, ...change }] } }] });

test('an Ingress that leads somewhere is accepted', () => {
  expect(refused({ defaultBackend: service })).toEqual([]);
  expect(refused({ rules: [{ host: '*.example.com', http: { paths: [path] } }] })).toEqual([]);
  expect(refused(withPath({ backend: { resource: { kind: 'Bucket', name: 'b' } } }))).toEqual([]);
  expect(refused({ rules: [{ host: 'example.com' }], ingressClassName: 'nginx' })).toEqual([]);
});

const at = 'spec.rules[0].http.paths[0]';
const wrong: readonly (readonly [spec: Json, problem: string])[] = [
  [{}, 'spec: Invalid value: null: either `defaultBackend` or `rules` must be specified'],
  [{ rules: [{ http: {} }] }, 'spec.rules[0].http.paths: Required value'],
  [withPath({ pathType: undefined }), `${at}.pathType: Required value: pathType must be specified`],
  [
    withPath({ pathType: 'Regex' }),
    `${at}.pathType: Unsupported value: "Regex": supported values: "Exact", "ImplementationSpecific", "Prefix"`,
  ],
  [withPath({ path: 'a' }), `${at}.path: Invalid value: "a": must be an absolute path`],
  [withPath({ path: '/a//b' }), `${at}.path: Invalid value: "/a//b": must not contain '//'`],
  [withPath({ path: '/a/..' }), `${at}.path: Invalid value: "/a/..": cannot end with '/..'`],
  [withPath({ backend: {} }), `${at}.backend: Invalid value: "": resource or service backend is required`],
  [
    withPath({ backend: { service: { name: 'web' } } }),
    `${at}.backend: Required value: port name or number is required`,
  ],
  [
    withPath({ backend: { service: { name: 'web', port: { number: 70_000 } } } }),
    `${at}.backend.service.port.number: Invalid value: 70000: must be between 1 and 65535, inclusive`,
  ],
  [
    { rules: [{ host: '10.0.0.1' }] },
    'spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address',
  ],
];

test.each(wrong)('%j is refused', (spec, problem) => {
  expect(refused(spec)).toEqual([problem]);
});

test("an IngressClass keeps its controller; its parameters are the cluster's", () => {
  const kind = networking('IngressClass');
  const spec = { controller: 'example.com/one', parameters: { kind: 'Params', name: 'p' } };
  const { object, errors } = prepareCreate(kind, { spec });
  expect(errors).toEqual([]);
  expect(object).toMatchObject({ spec: { parameters: { scope: 'Cluster' } } });
  expect(texts(prepareCreate(kind, { spec: {} }).errors)).toEqual(['spec.controller: Required value']);
  const other = { spec: { ...spec, controller: 'example.com/two' } };
  expect(texts(prepareUpdate(kind, other, object).errors)).toEqual([
    'spec.controller: Invalid value: "example.com/two": field is immutable',
  ]);
});
