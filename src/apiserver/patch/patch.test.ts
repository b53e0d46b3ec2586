import * as fc from 'fast-check';
import * as rfc6902 from 'rfc6902';
import { expect, test } from 'vitest';
import type { Fault } from '../../base/fault.ts';
import { builtinKind } from '../schema/kinds.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch } from './merge-patch.ts';
import { patchFaultStatus } from './patch-fault.ts';
import { applyStrategicMergePatch } from './strategic-merge-patch.ts';

const names = fc.constantFrom('a', 'b', 'c', 'x/y', 'm~n');
const { value: values } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(1, 'text', true, null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(names, tie('value'), { maxKeys: 3, noNullPrototype: true }),
  ),
}));
const objects = fc.dictionary(names, values, { maxKeys: 4, noNullPrototype: true });
const pointers = fc
  .array(fc.constantFrom('a', 'b', 'c', 'x~1y', 'm~0n', '0', '1', '2', '-'), { minLength: 1, maxLength: 3 })
  .map((parts) => parts.map((part) => `/${part}`).join(''));
const operations = fc.oneof(
  fc.record(
    { op: fc.constantFrom('add', 'replace'), path: pointers, value: values },
    { noNullPrototype: true },
  ),
  fc.record({ op: fc.constant('remove'), path: pointers }, { noNullPrototype: true }),
  fc.record(
    { op: fc.constantFrom('copy', 'move'), from: pointers, path: pointers },
    { noNullPrototype: true },
  ),
);

function statusOf(act: () => unknown): number | undefined {
  try {
    act();
  } catch (error) {
    return patchFaultStatus(error as Fault);
  }
  return 200;
}

test('JSON patch: what another implementation computes from the difference of two objects, this one reaches', () => {
  fc.assert(
    fc.property(objects, objects, (from, to) => {
      const before = structuredClone(from);
      expect(applyJsonPatch(from, rfc6902.createPatch(from, to))).toEqual(to);
      expect(from).toEqual(before);
    }),
  );
});

/** The oracle lets lists have names and gaps, and scalars members; the RFC, and we, do not. */
function goesAstray(object: unknown, pointer: string): boolean {
  let value = object;
  for (const part of pointer.slice(1).split('/')) {
    if (Array.isArray(value) && (!/^\d+$/.test(part) || Number(part) > value.length)) return true;
    if (value !== undefined && (typeof value !== 'object' || value === null)) return true;
    value = (value as Record<string, unknown> | undefined)?.[
      part.replaceAll('~1', '/').replaceAll('~0', '~')
    ];
  }
  return false;
}

test('JSON patch: any operation does here what it does in another implementation, or fails in both', () => {
  fc.assert(
    fc.property(objects, operations, (object, operation) => {
      const oracle = structuredClone(object);
      const inside = 'from' in operation && operation.path.startsWith(`${operation.from}/`);
      const paths = 'from' in operation ? [operation.from, operation.path] : [operation.path];
      fc.pre(!paths.some((path) => goesAstray(object, path)));
      const [error] = rfc6902.applyPatch(oracle, [operation]);
      const status = statusOf(() => applyJsonPatch(object, [operation]));
      // A move into what is moved is undefined in the oracle.
      fc.pre(!(inside && operation.op === 'move'));
      expect(status === 200).toBe(error === null);
      if (error === null) expect(applyJsonPatch(object, [operation])).toEqual(oracle);
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  [{ not: 'a list' }, 400],
  [[{ op: 'shuffle', path: '/a' }], 400],
  [[{ op: 'add', path: '/a' }], 400],
  [[{ op: 'add', path: 'a', value: 1 }], 400],
  [[{ op: 'remove', path: '/nothing' }], 422],
  [[{ op: 'replace', path: '/nothing', value: 1 }], 422],
  [[{ op: 'test', path: '/a', value: 2 }], 422],
  [[{ op: 'test', path: '/a', value: 1 }], 200],
  [[{ op: 'add', path: '/list/5', value: 1 }], 422],
  [[{ op: 'replace', path: '', value: 5 }], 422],
  [Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/a', value: 1 })), 413],
])('JSON patch %.60j is answered with %i', (patch, status) => {
  expect(statusOf(() => applyJsonPatch({ a: 1, list: [] }, patch))).toBe(status);
});

test('JSON patch: copies cannot grow an object without end', () => {
  const copies = Array.from({ length: 20 }, (_, index) => ({ op: 'copy', from: '', path: `/x${index}` }));
  expect(statusOf(() => applyJsonPatch({ a: 'x'.repeat(100) }, copies))).toBe(413);
});

test('JSON patch: a name is only a name', () => {
  const patched = applyJsonPatch({ data: {} }, [
    { op: 'add', path: '/data/__proto__', value: { polluted: true } },
  ]);
  expect(Object.keys(patched['data'] as object)).toEqual(['__proto__']);
  expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
});

test('merge patch: the examples of RFC 7396', () => {
  const cases: [object, object, object][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [object, patch, merged] of cases) expect(applyMergePatch({ ...object }, patch)).toEqual(merged);
  expect(statusOf(() => applyMergePatch({}, []))).toBe(400);
});

test('merge patch: a second time changes nothing, nothing changes nothing, and the given object stays', () => {
  fc.assert(
    fc.property(objects, objects, (object, patch) => {
      const before = structuredClone(object);
      const once = applyMergePatch(object, patch);
      expect(applyMergePatch(once, patch)).toEqual(once);
      expect(applyMergePatch(object, {})).toEqual(object);
      expect(object).toEqual(before);
    }),
  );
});

const { schema: deployment } = builtinKind('apps', 'v1', 'Deployment')!;
const { schema: secret } = builtinKind('', 'v1', 'Secret')!;
const { schema: service } = builtinKind('', 'v1', 'Service')!;
const podSpec = (spec: object) => ({ spec: { template: { spec } } });
const apply = (original: object, patch: object) =>
  (
    applyStrategicMergePatch(deployment, podSpec(original), podSpec(patch)) as {
      spec: { template: { spec: unknown } };
    }
  ).spec.template.spec;

test('strategic merge: lists of objects merge by their key', () => {
  const original = {
    containers: [
      { name: 'a', image: '1', args: ['x'] },
      { name: 'b', image: '1' },
    ],
  };
  expect(
    apply(original, {
      containers: [
        { name: 'b', image: '2' },
        { name: 'c', image: '3' },
      ],
    }),
  ).toEqual({
    containers: [
      { name: 'a', image: '1', args: ['x'] },
      { name: 'b', image: '2' },
      { name: 'c', image: '3' },
    ],
  });
  expect(apply(original, { containers: [{ name: 'a', args: ['y'] }] })).toMatchObject({
    containers: [{ name: 'a', args: ['y'] }, { name: 'b' }],
  });
  expect(apply(original, { containers: [{ name: 'a', $patch: 'delete' }] })).toEqual({
    containers: [{ name: 'b', image: '1' }],
  });
  expect(apply(original, { containers: [{ $patch: 'replace' }, { name: 'z' }] })).toEqual({
    containers: [{ name: 'z' }],
  });
  expect(statusOf(() => apply(original, { containers: [{ image: 'x' }] }))).toBe(400);
  expect(statusOf(() => apply(original, { containers: [{ name: 'a', $patch: 'shuffle' }] }))).toBe(400);
});

test('strategic merge: an asked-for order is kept, what only the server has stays in its place', () => {
  const original = { containers: ['a', 'server', 'b'].map((name) => ({ name })) };
  const patch = {
    '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }],
    containers: [{ name: 'a', image: '2' }],
  };
  expect(apply(original, patch)).toEqual({
    containers: [{ name: 'server' }, { name: 'b' }, { name: 'a', image: '2' }],
  });
  expect(
    apply({}, { '$setElementOrder/containers': [{ name: 'b' }], containers: [{ name: 'b', image: null }] }),
  ).toEqual({
    containers: [{ name: 'b' }],
  });
  const wrong = { '$setElementOrder/containers': [{ name: 'b' }], containers: [{ name: 'c' }] };
  expect(statusOf(() => apply(original, wrong))).toBe(400);
});

test('strategic merge: lists of scalars', () => {
  const meta = (patch: object) =>
    applyStrategicMergePatch(secret, { metadata: { finalizers: ['a', 'b'] } }, { metadata: patch });
  expect(meta({ finalizers: ['c', 'a'] })).toEqual({ metadata: { finalizers: ['c', 'a', 'b'] } });
  expect(meta({ '$deleteFromPrimitiveList/finalizers': ['a'] })).toEqual({ metadata: { finalizers: ['b'] } });
  expect(meta({ finalizers: null })).toEqual({ metadata: {} });
});

test('strategic merge: objects replace, delete and retain by directive', () => {
  const original = { metadata: { labels: { a: '1', b: '2' } } };
  expect(
    applyStrategicMergePatch(secret, original, { metadata: { labels: { $patch: 'replace', c: '3' } } }),
  ).toEqual({
    metadata: { labels: { c: '3' } },
  });
  expect(applyStrategicMergePatch(secret, original, { metadata: { labels: { $patch: 'delete' } } })).toEqual({
    metadata: { labels: {} },
  });
  expect(applyStrategicMergePatch(secret, original, { metadata: { labels: { a: null } } })).toEqual({
    metadata: { labels: { b: '2' } },
  });
  const rolling = { spec: { strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1 } } } };
  expect(
    applyStrategicMergePatch(deployment, rolling, {
      spec: { strategy: { $retainKeys: ['type'], type: 'Recreate' } },
    }),
  ).toEqual({
    spec: { strategy: { type: 'Recreate' } },
  });
  expect(
    statusOf(() =>
      applyStrategicMergePatch(deployment, rolling, { spec: { strategy: { $retainKeys: [], type: 'x' } } }),
    ),
  ).toBe(400);
});

test('strategic merge: a list without a strategy is replaced, maps of no schema merge', () => {
  expect(
    applyStrategicMergePatch(service, { spec: { externalIPs: ['a'] } }, { spec: { externalIPs: ['b'] } }),
  ).toEqual({
    spec: { externalIPs: ['b'] },
  });
  expect(
    applyStrategicMergePatch(
      service,
      { spec: { ports: [{ port: 80, name: 'a' }] } },
      { spec: { ports: [{ port: 80, name: 'b' }, { port: 81 }] } },
    ),
  ).toEqual({
    spec: { ports: [{ port: 80, name: 'b' }, { port: 81 }] },
  });
});

test('strategic merge: without lists it is a merge patch, and never changes what it was given', () => {
  const leaves = fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.constantFrom('1', '2', null), {
    noNullPrototype: true,
  });
  fc.assert(
    fc.property(leaves, leaves, (data, change) => {
      const original = {
        data: Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null)),
      };
      const before = structuredClone(original);
      expect(applyStrategicMergePatch(secret, original, { data: change })).toEqual(
        applyMergePatch(original, { data: change }),
      );
      expect(original).toEqual(before);
    }),
  );
});
