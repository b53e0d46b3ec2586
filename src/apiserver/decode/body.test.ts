import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { kubectlBodies } from '../../../test/support/kubectl-bodies.ts';
import { Fault } from '../../base/fault.ts';
import { bodyFaultStatus, decodeBody } from './body.ts';
import { inspectJson } from './json.ts';

const configMap = { group: '', version: 'v1', kind: 'ConfigMap' };

function decode(text: string, contentType?: string) {
  return decodeBody(Buffer.from(text), contentType, configMap);
}

function faultOf(act: () => unknown): Fault {
  try {
    act();
  } catch (error) {
    return error as Fault;
  }
  throw new Error('it was accepted');
}

test('JSON is the default, and what it leaves unnamed is what was expected', () => {
  expect(decode('{"data":{"a":"1"}}').object).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    data: { a: '1' },
  });
  expect(decode('{"kind":"Secret","apiVersion":"v1"}', 'application/json; charset=utf-8').object).toEqual({
    apiVersion: 'v1',
    kind: 'Secret',
  });
});

test('members that stand twice are named, and the last one counts', () => {
  expect(
    decode('{"metadata":{"name":"a","labels":{"x":"1","x":"2"}},"list":[1,{"b":[{}],"\\u0062":2}]}'),
  ).toMatchObject({
    object: { metadata: { labels: { x: '2' } } },
    duplicateFields: ['metadata.labels.x', 'list[1].b'],
  });
  expect(decode('{"data":{"x":"\\"x\\":1","{":"}"}}').duplicateFields).toEqual([]);
});

test('YAML is read as kubectl writes it', () => {
  const { object, duplicateFields } = decode(
    'data:\n  a: "1"\n  a: "2"\nitems:\n- b: yes\n  n: 0x10\n  b: null\n',
    'application/yaml',
  );
  expect(object).toEqual({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    data: { a: '2' },
    items: [{ b: null, n: 16 }],
  });
  expect(duplicateFields).toEqual(['data.a', 'items[0].b']);
});

test('JSON is read where YAML is said, flow style too', () => {
  expect(decode('{"data":{"a":"1","a":"2"}}', 'application/yaml')).toMatchObject({
    object: { data: { a: '2' } },
    duplicateFields: ['data.a'],
  });
  expect(decode('{data: {a: b}}', 'application/yaml').object).toMatchObject({ data: { a: 'b' } });
});

test('protobuf is read by its envelope', () => {
  const bytes = Buffer.from(kubectlBodies['create serviceaccount sa']!, 'base64');
  expect(decodeBody(bytes, 'application/vnd.kubernetes.protobuf', configMap).object).toMatchObject({
    kind: 'ServiceAccount',
    metadata: { name: 'sa' },
  });
});

test.each([
  ['{"a":', undefined, 'apiserver.body.json', 400],
  ['[]', undefined, 'apiserver.body.object', 400],
  ['null', 'application/json', 'apiserver.body.object', 400],
  ['a: [', 'application/yaml', 'apiserver.body.yaml', 400],
  ['a: 1\n---\nb: 2\n', 'application/yaml', 'apiserver.body.yaml', 400],
  ['{}', 'application/vnd.kubernetes.protobuf', 'apiserver.body.protobuf', 400],
  ['{}', 'application/cbor', 'apiserver.body.media-type', 415],
  ['['.repeat(600) + ']'.repeat(600), undefined, 'apiserver.body.json', 400],
  [`a: ${'['.repeat(600)}${']'.repeat(600)}`, 'application/yaml', 'apiserver.body.yaml', 400],
])('%.12s as %s is refused: %s', (text, contentType, code, status) => {
  const fault = faultOf(() => decode(text, contentType));
  expect(fault).toBeInstanceOf(Fault);
  expect([fault.code, bodyFaultStatus(fault)]).toEqual([code, status]);
});

test('aliases cannot multiply a small YAML body into a large object', () => {
  const bomb = [
    'a: &a [x,x,x,x,x,x,x,x,x]',
    'b: &b [*a,*a,*a,*a,*a,*a,*a,*a]',
    'c: &c [*b,*b,*b,*b,*b,*b,*b,*b]',
  ];
  expect(
    faultOf(() => decode(`${bomb.join('\n')}\nd: [*c,*c,*c,*c,*c,*c,*c,*c]\n`, 'application/yaml')).code,
  ).toBe('apiserver.body.yaml');
});

test('any JSON is read whole and has no name twice', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(inspectJson(JSON.stringify(value, null, 1))).toEqual({ duplicateFields: [], tooDeep: false });
    }),
  );
});
