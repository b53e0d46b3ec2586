import { expect, test } from 'vitest';
import {
  apply,
  bare,
  early,
  entries,
  fieldsBy,
  late,
  spec,
  specOf,
  update,
} from '../../../test/support/applied-widget.ts';
import type { Fault } from '../../base/fault.ts';
import { builtinKind } from '../schema/kinds.ts';
import type { Json } from '../schema/structural.ts';
import { describePath, FieldSet } from './field-set.ts';
import { type ApplyConflictFault, applyFaultStatus, applyPatch } from './server-side-apply.ts';

const { schema: configMap } = builtinKind('', 'v1', 'ConfigMap')!;
const { schema: deployment } = builtinKind('apps', 'v1', 'Deployment')!;
const { schema: service } = builtinKind('', 'v1', 'Service')!;

function faultOf(act: () => unknown): ApplyConflictFault {
  try {
    act();
  } catch (error) {
    return error as ApplyConflictFault;
  }
  throw new Error('it was accepted');
}

test('a configuration is owned as upstream writes it', () => {
  const created = applyPatch({
    schema: deployment,
    live: undefined,
    applied: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', namespace: 'a', labels: { app: 'web' }, finalizers: ['x/y'] },
      spec: {
        replicas: 1,
        selector: { matchLabels: { app: 'web' } },
        template: {
          spec: { containers: [{ name: 'c', image: 'i', ports: [{ containerPort: 80 }], resources: {} }] },
        },
      },
    },
    manager: 'kubectl',
    force: false,
    nowRfc3339: early,
    apiVersion: 'apps/v1',
  }).object;
  expect(entries(created)).toEqual([
    {
      manager: 'kubectl',
      operation: 'Apply',
      apiVersion: 'apps/v1',
      time: early,
      fieldsType: 'FieldsV1',
      fieldsV1: {
        'f:metadata': { 'f:finalizers': { 'v:"x/y"': {} }, 'f:labels': { 'f:app': {} } },
        'f:spec': {
          'f:replicas': {},
          'f:selector': {},
          'f:template': {
            'f:spec': {
              'f:containers': {
                'k:{"name":"c"}': {
                  '.': {},
                  'f:image': {},
                  'f:name': {},
                  'f:ports': {
                    'k:{"containerPort":80,"protocol":"TCP"}': { '.': {}, 'f:containerPort': {} },
                  },
                  'f:resources': {},
                },
              },
            },
          },
        },
      },
    },
  ]);
});

test('an update owns what it changed, a map that it made included', () => {
  const created = update(
    undefined,
    { metadata: { name: 'a', uid: '1', labels: { a: 'b' } }, data: { x: '1' } },
    { schema: configMap },
  );
  expect(entries(created)).toEqual([
    {
      manager: 'writer',
      operation: 'Update',
      apiVersion: 'v1',
      time: early,
      fieldsType: 'FieldsV1',
      fieldsV1: { 'f:data': { '.': {}, 'f:x': {} }, 'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } } },
    },
  ]);
  const changed = update(
    created,
    { ...created, data: { x: '1', y: '2' } },
    { schema: configMap, manager: 'other', nowRfc3339: late },
  );
  expect(fieldsBy(changed, 'other')).toEqual({ 'f:data': { 'f:y': {} } });
  expect(entries(changed)[0]).toEqual(entries(created)[0]);
  const removed = update(changed, { ...changed, data: { y: '2' } }, { schema: configMap, nowRfc3339: late });
  expect(fieldsBy(removed, 'writer')).toEqual({
    'f:data': {},
    'f:metadata': { 'f:labels': { '.': {}, 'f:a': {} } },
  });
  expect(update(removed, removed, { schema: configMap, nowRfc3339: late })).toEqual(removed);
});

test('what an update takes over is its own, and the former owner loses it', () => {
  const live = apply(undefined, spec({ a: '1', b: 1 }));
  const taken = update(live, { ...live, spec: { a: '2', b: 1 } }, { nowRfc3339: late });
  expect(fieldsBy(taken, 'one')).toEqual({ 'f:spec': { 'f:b': {} } });
  expect(fieldsBy(taken, 'writer')).toEqual({ 'f:spec': { 'f:a': {} } });
});

test('a conflict names its owners and fields, and force takes them', () => {
  const live = update(apply(undefined, spec({ a: '1' })), spec({ a: '1', b: 1 }));
  const withOwners = { ...live, metadata: { ...(live['metadata'] as Json) } };
  const fault = faultOf(() => apply(withOwners, spec({ a: '2' }), { manager: 'two' }));
  expect(applyFaultStatus(fault)).toBe(409);
  expect(fault.message).toBe('Apply failed with 1 conflict: conflict with "one": .spec.a');
  expect(fault.conflicts).toEqual([{ manager: '"one"', field: '.spec.a' }]);
  expect(faultOf(() => apply(withOwners, spec({ a: '2', b: 2 }), { manager: 'two' })).message).toBe(
    'Apply failed with 2 conflicts: conflicts with "one":\n- .spec.a\nconflicts with "writer" using v1:\n- .spec.b',
  );
  const forced = apply(withOwners, spec({ a: '2' }), { manager: 'two', force: true, nowRfc3339: late });
  expect(specOf(forced)).toEqual({ a: '2', b: 1 });
  expect(fieldsBy(forced, 'one')).toBeUndefined();
  expect(fieldsBy(forced, 'two')).toEqual({ 'f:spec': { 'f:a': {} } });
});

test('the same value can have two owners, and stays until both have let go', () => {
  const shared = apply(apply(undefined, spec({ a: '1' })), spec({ a: '1' }), { manager: 'two' });
  const one = apply(shared, spec({ b: 1 }), { nowRfc3339: late });
  expect(specOf(one)).toEqual({ a: '1', b: 1 });
  const two = apply(one, spec({}), { manager: 'two', nowRfc3339: late });
  expect(specOf(two)).toEqual({ b: 1 });
});

test('what others added to a map stays when a manager lets go of its own; an item goes whole with its last owner', () => {
  const live = apply(undefined, spec({ items: [{ name: 'x', value: '1' }], free: { a: '1' } }));
  const added = update(live, {
    ...live,
    spec: { items: [{ name: 'x', value: '1', other: 'o' }], free: { a: '1', b: '2' } },
  });
  expect(specOf(apply(added, spec({})))).toEqual({ free: { b: '2' } });
  const held = apply(added, spec({ items: [{ name: 'x' }] }), { manager: 'two' });
  expect(specOf(apply(held, spec({})))).toEqual({ free: { b: '2' }, items: [{ name: 'x', other: 'o' }] });
});

test('lists merge by key and by value, in the order of both', () => {
  const live = apply(
    undefined,
    spec({ items: [{ name: 'a' }, { name: 'b' }], set: ['x', 'y'], list: ['1'] }),
  );
  const next = apply(
    live,
    spec({ items: [{ name: 'c' }, { name: 'b', value: '2' }], set: ['z', 'y'], list: ['2'] }),
    { manager: 'two', force: true },
  );
  expect(specOf(next)).toEqual({
    items: [{ name: 'a' }, { name: 'c' }, { name: 'b', value: '2' }],
    set: ['x', 'z', 'y'],
    list: ['2'],
  });
  expect(specOf(apply(next, spec({ items: [{ name: 'b' }], set: ['y'] }), { manager: 'one' }))).toEqual({
    items: [{ name: 'c' }, { name: 'b', value: '2' }],
    set: ['z', 'y'],
    list: ['2'],
  });
});

test('atomic maps and lists are owned and replaced whole', () => {
  const live = apply(undefined, spec({ whole: { a: '1' }, list: ['a'] }));
  expect(fieldsBy(live, 'one')).toEqual({ 'f:spec': { 'f:list': {}, 'f:whole': {} } });
  expect(faultOf(() => apply(live, spec({ whole: { b: '1' } }), { manager: 'two' })).conflicts).toEqual([
    { manager: '"one"', field: '.spec.whole' },
  ]);
  expect(specOf(apply(live, spec({ whole: { b: '1' } })))).toEqual({ whole: { b: '1' } });
});

test('ports of one number are told apart by protocol, TCP where it is left out', () => {
  const options = { schema: service };
  const live = apply(
    undefined,
    {
      metadata: {},
      spec: {
        ports: [
          { port: 53, name: 'tcp' },
          { port: 53, protocol: 'UDP', name: 'udp' },
        ],
      },
    },
    options,
  );
  const defaulted = {
    ...live,
    spec: {
      ports: [
        { port: 53, name: 'tcp', protocol: 'TCP' },
        { port: 53, protocol: 'UDP', name: 'udp' },
      ],
    },
  };
  const next = apply(defaulted, { metadata: {}, spec: { ports: [{ port: 53, name: 'tcp' }] } }, options);
  expect(specOf(next)).toEqual({ ports: [{ port: 53, name: 'tcp', protocol: 'TCP' }] });
});

test('managers of a subresource and of the object are two', () => {
  const live = apply(undefined, spec({ a: '1' }), { ignored: ['status'] });
  const status = apply(
    live,
    { ...spec({}), status: { ready: true } },
    { subresource: 'status', ignored: ['spec'] },
  );
  expect(entries(status).map(({ manager, subresource }) => [manager, subresource])).toEqual([
    ['one', undefined],
    ['one', 'status'],
  ]);
  const again = apply(status, { ...spec({ a: '1' }), status: { ready: false } }, { ignored: ['status'] });
  expect(again).toEqual(status);
});

test('what cannot be applied is refused', () => {
  expect(
    applyFaultStatus(faultOf(() => apply(undefined, { metadata: { managedFields: [] } })) as Fault),
  ).toBe(400);
  expect(faultOf(() => apply(undefined, spec({ items: [{ value: 'x' }] }))).message).toContain(
    'omits key field "name"',
  );
  expect(faultOf(() => apply(undefined, spec({ items: [{ name: 'a' }, { name: 'a' }] }))).code).toBe(
    'apiserver.apply.duplicate',
  );
});

test('nulls, and metadata that the server decides, do not make an apply a change', () => {
  const manifest = {
    metadata: { name: 'web', creationTimestamp: null, resourceVersion: '7', uid: 'u', generation: 3 },
    spec: {
      template: { metadata: { creationTimestamp: null }, spec: { containers: [{ name: 'c', image: null }] } },
    },
  };
  const options = { schema: deployment };
  const stored = apply(undefined, manifest, options);
  expect(bare(stored)).toEqual({
    metadata: { name: 'web' },
    spec: { template: { metadata: {}, spec: { containers: [{ name: 'c' }] } } },
  });
  const live = {
    ...stored,
    metadata: { ...(stored['metadata'] as Json), creationTimestamp: early, uid: 'u' },
  };
  expect(apply(live, manifest, { ...options, nowRfc3339: late })).toEqual(live);
  const custom = apply(undefined, spec({ a: null, any: { x: null } }));
  expect(specOf(custom)).toEqual({ any: { x: null } });
  expect(apply(custom, spec({ a: null, any: { x: null } }), { nowRfc3339: late })).toEqual(custom);
  expect(specOf(apply(apply(custom, spec({ a: '1' })), spec({ a: null })))).toEqual({});
});

test('an update is never refused for a list whose items cannot be told apart', () => {
  const items = [{ value: 'x' }, { value: 'y' }];
  const created = update(undefined, spec({ items }));
  const changed = update(created, { ...created, spec: { items: [{ value: 'z' }] } }, { nowRfc3339: late });
  expect(fieldsBy(changed, 'writer')).toMatchObject({ 'f:spec': { 'f:items': {} } });
  const pod = { metadata: {}, spec: { imagePullSecrets: [{}, { name: 'x' }] } };
  const { schema } = builtinKind('', 'v1', 'Pod')!;
  expect(fieldsBy(update(undefined, pod, { schema }), 'writer')).toEqual({
    'f:spec': {
      'f:imagePullSecrets': {
        '.': {},
        'k:{"name":""}': {},
        'k:{"name":"x"}': {},
      },
    },
  });
});

test("kubectl's annotation lets kubectl take what it owned by a plain apply, and is kept true", () => {
  const key = 'kubectl.kubernetes.io/last-applied-configuration';
  const annotated = (value: Json, config: Json) => ({
    ...spec(value),
    metadata: { name: 'w', annotations: { [key]: JSON.stringify(config) } },
  });
  const live = update(undefined, annotated({ a: '1' }, spec({ a: '1' })), {
    manager: 'kubectl-client-side-apply',
  });
  const applied = apply(live, spec({ a: '2' }), { manager: 'kubectl' });
  expect(specOf(applied)).toEqual({ a: '2' });
  const { annotations } = applied['metadata'] as { annotations: Record<string, string> };
  expect(JSON.parse(annotations[key]!)).toEqual(spec({ a: '2' }));
  expect(faultOf(() => apply(live, spec({ a: '2' }), { manager: 'else' })).code).toBe(
    'apiserver.apply.conflict',
  );
});

test('managedFields can be reset by an update, but not through a subresource', () => {
  const live = apply(undefined, spec({ a: '1' }));
  const reset = { ...live, metadata: { name: 'w', managedFields: [{}] } };
  expect(entries(update(live, reset))).toEqual([]);
  expect(entries(update(live, reset, { subresource: 'status' }))).toEqual(entries(live));
  expect(entries(update(live, { ...live, metadata: { name: 'w' } }))).toEqual(entries(live));
});

test('at most ten updates are told apart', () => {
  let live = update(undefined, spec({ any: {} }), { manager: 'm00' });
  for (let index = 1; index < 25; index++) {
    const any = { ...(specOf(live) as { any: Json }).any, [`f${index}`]: index };
    const nowRfc3339 = `2026-01-01T00:00:${String(index).padStart(2, '0')}Z`;
    live = update(
      live,
      { ...live, spec: { any } },
      { manager: `m${String(index).padStart(2, '0')}`, nowRfc3339 },
    );
  }
  expect(entries(live)).toHaveLength(10);
  expect(entries(live).map(({ manager }) => manager)).toContain('ancient-changes');
  expect(fieldsBy(live, 'm24')).toEqual({ 'f:spec': { 'f:any': { 'f:f24': {} } } });
  const all = entries(live).reduce(
    (union, { fieldsV1 }) => union.union(FieldSet.fromJson(fieldsV1)),
    new FieldSet(),
  );
  expect([...all.paths()].length).toBe(26);
});

test('paths are printed as upstream prints them', () => {
  const path = ['f:spec', 'f:ports', 'k:{"port":80,"protocol":"TCP"}', 'f:name'];
  expect(describePath(path)).toBe('.spec.ports[port=80,protocol="TCP"].name');
  expect(describePath(['f:metadata', 'f:finalizers', 'v:"a"'])).toBe('.metadata.finalizers[="a"]');
});
