import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { kubectlBodies } from '../../../test/support/kubectl-bodies.ts';
import type { Fault } from '../../base/fault.ts';
import { builtinKind } from '../schema/kinds.ts';
import { decodeProtobuf } from './protobuf.ts';

const anything = { group: '', version: 'v1', kind: 'Unknown' };

test.each(
  Object.entries({
    'create namespace linkerd': {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'linkerd' },
      spec: {},
      status: {},
    },
    'create secret generic my-secret-token --from-literal=token=hvs.abc --from-file=bin=(a, zero, b)': {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'my-secret-token' },
      data: { bin: 'YQBi', token: 'aHZzLmFiYw==' },
    },
    'create configmap cm --from-literal=a=1 --from-file=bin=(a, zero, b)': {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'cm' },
      data: { a: '1', bin: 'a\0b' },
    },
    'create serviceaccount sa': { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'sa' } },
    'create token sa --duration 1h --audience vault://linkerd/vault': {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: {},
      spec: { audiences: ['vault://linkerd/vault'], expirationSeconds: 3600 },
      status: {},
    },
    'create deployment web --image nginx --replicas 0 --port 80': {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'web', labels: { app: 'web' } },
      spec: {
        replicas: 0,
        selector: { matchLabels: { app: 'web' } },
        template: {
          metadata: { labels: { app: 'web' } },
          spec: {
            containers: [{ name: 'nginx', image: 'nginx', ports: [{ containerPort: 80 }], resources: {} }],
          },
        },
        strategy: {},
      },
      status: {},
    },
    'create role r --verb=get,list --resource=secrets --resource-name=x': {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'r' },
      rules: [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['secrets'], resourceNames: ['x'] }],
    },
    'create service clusterip web --tcp=80:http': {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web', labels: { app: 'web' } },
      spec: {
        ports: [{ name: '80-http', protocol: 'TCP', port: 80, targetPort: 'http' }],
        selector: { app: 'web' },
        type: 'ClusterIP',
      },
      status: { loadBalancer: {} },
    },
    'auth can-i get secrets': {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      metadata: {},
      spec: { resourceAttributes: { namespace: 'linkerd', verb: 'get', resource: 'secrets' } },
      status: { allowed: false },
    },
  }),
)('kubectl %s', (command, object) => {
  expect(decodeProtobuf(Buffer.from(kubectlBodies[command]!, 'base64'), anything)).toEqual(object);
});

test('times, quantities, ports and raw fields are written as JSON writes them', () => {
  const lease = message([
    [
      2,
      message([
        [
          4,
          message([
            [1, 1_790_000_000n],
            [2, 123_456_789n],
          ]),
        ],
      ]),
    ],
  ]);
  expect(decodeProtobuf(body('coordination.k8s.io/v1', 'Lease', lease), anything)).toEqual({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    spec: { renewTime: '2026-09-21T14:13:20.123456Z' },
  });
  const entry = message([
    [1, 'kubectl'],
    [4, message([[1, 1_790_000_000n]])],
    [7, message([[1, '{"f:data":{}}']])],
  ]);
  const meta = message([
    [
      1,
      message([
        [17, entry],
        [8, message([])],
        [7, -1n],
      ]),
    ],
  ]);
  expect(decodeProtobuf(body('v1', 'Secret', meta), anything)).toMatchObject({
    metadata: {
      generation: -1,
      managedFields: [{ manager: 'kubectl', time: '2026-09-21T14:13:20Z', fieldsV1: { 'f:data': {} } }],
    },
  });
  const probe = (port: Buffer) => message([[1, message([[2, message([[2, port]])]])]]);
  const container = (port: Buffer) =>
    message([
      [1, 'c'],
      [10, probe(port)],
      [
        8,
        message([
          [
            2,
            message([
              [1, 'cpu'],
              [2, message([[1, '100m']])],
            ]),
          ],
        ]),
      ],
    ]);
  const pod = message([
    [
      2,
      message([
        [
          2,
          container(
            message([
              [1, 0n],
              [2, 8080n],
            ]),
          ),
        ],
        [
          2,
          container(
            message([
              [1, 1n],
              [3, 'http'],
            ]),
          ),
        ],
      ]),
    ],
  ]);
  const { spec } = decodeProtobuf(body('v1', 'Pod', pod), anything) as { spec: { containers: unknown[] } };
  expect(spec.containers).toEqual([
    { name: 'c', livenessProbe: { httpGet: { port: 8080 } }, resources: { requests: { cpu: '100m' } } },
    { name: 'c', livenessProbe: { httpGet: { port: 'http' } }, resources: { requests: { cpu: '100m' } } },
  ]);
});

test('delete options come under any group', () => {
  const options = message([
    [1, 0n],
    [2, message([[1, 'u-1']])],
    [4, 'Foreground'],
  ]);
  expect(decodeProtobuf(body('apps/v1', 'DeleteOptions', options), anything)).toEqual({
    apiVersion: 'apps/v1',
    kind: 'DeleteOptions',
    gracePeriodSeconds: 0,
    preconditions: { uid: 'u-1' },
    propagationPolicy: 'Foreground',
  });
});

test('whatever the table can say comes back from the wire', () => {
  const kinds = [
    ['v1', 'Pod'],
    ['v1', 'Secret'],
    ['v1', 'Service'],
    ['apps/v1', 'Deployment'],
    ['rbac.authorization.k8s.io/v1', 'ClusterRole'],
    ['admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration'],
    ['authorization.k8s.io/v1', 'SubjectAccessReview'],
  ] as const;
  for (const [apiVersion, kind] of kinds) {
    const [version, group = ''] = apiVersion.split('/').toReversed();
    const name = builtinKind(group, version!, kind)!.schema.name!.replace('io.k8s.', 'k8s.io.');
    fc.assert(
      fc.property(valueOf(name, 5), (value) => {
        const decoded = decodeProtobuf(body(apiVersion, kind, encode(name, value)), anything);
        expect(decoded).toEqual({ apiVersion, kind, ...(value as object) });
      }),
      { numRuns: 30 },
    );
  }
});

test('bytes that are no message are refused, never read past', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const input = Buffer.concat([Buffer.from('k8s\0'), bytes]);
      try {
        decodeProtobuf(input, { group: '', version: 'v1', kind: 'Pod' });
      } catch (error) {
        expect((error as Fault).code).toBe('apiserver.body.protobuf');
      }
    }),
  );
  const cut = Buffer.from(kubectlBodies['create namespace linkerd']!, 'base64').subarray(0, 30);
  expect(() => decodeProtobuf(cut, anything)).toThrow('it ends within a field');
  expect(() => decodeProtobuf(body('v1', 'Mystery', message([])), anything)).toThrow('no message is known');
});

// A small encoder over the same table, which shares no code with the decoder.

const table = (
  JSON.parse(readFileSync(new URL('./generated/protobuf.json', import.meta.url), 'utf8')) as {
    messages: Record<string, string[]>;
  }
).messages;

type Wire = bigint | string | Buffer;

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Buffer.from([...bytes, Number(rest)]);
}

function message(fields: readonly (readonly [number, Wire])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([number, value]) => {
      if (typeof value === 'bigint') return [varint(BigInt(number) << 3n), varint(value)];
      const bytes = Buffer.from(value as string);
      return [varint((BigInt(number) << 3n) | 2n), varint(BigInt(bytes.length)), bytes];
    }),
  );
}

function body(apiVersion: string, kind: string, raw: Buffer): Buffer {
  const unknown = message([
    [
      1,
      message([
        [1, apiVersion],
        [2, kind],
      ]),
    ],
    [2, raw],
    [3, ''],
    [4, ''],
  ]);
  return Buffer.concat([Buffer.from('k8s\0'), unknown]);
}

interface Row {
  number: number;
  name: string;
  type: string;
  form: string;
}

function rowsOf(name: string): Row[] {
  return table[name]!.map((line) => {
    const [number, field, type] = line.split(' ') as [string, string, string];
    return { number: Number(number), name: field, type: type.replace(/[[\]{}!]/g, ''), form: type[0]! };
  });
}

const forms: Record<string, fc.Arbitrary<unknown>> = {
  string: fc.string({ minLength: 1 }),
  bytes: fc.uint8Array({ minLength: 1 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  bool: fc.constant(true),
  int32: fc.integer({ min: 1 }),
  int64: fc.maxSafeInteger().filter((value) => value !== 0),
  Quantity: fc.constantFrom('1', '100m', '2Gi'),
  Time: fc.constant('2026-01-01T00:00:00Z'),
  MicroTime: fc.constant('2026-01-01T00:00:00.000000Z'),
  IntOrString: fc.oneof(fc.integer(), fc.string({ minLength: 1 })),
  FieldsV1: fc.constant({ 'f:data': {} }),
  ExtraValue: fc.array(fc.string(), { maxLength: 3 }),
};

function valueOf(type: string, depth: number): fc.Arbitrary<unknown> {
  const form = forms[type.split('.').at(-1)!];
  if (form) return form;
  const rows = rowsOf(type).filter(({ type: of }) => depth > 0 || !table[of]);
  const fields = rows
    .filter(({ name }) => name !== '-')
    .map(({ name, type: of, form: shape }) => {
      const single = fc.option(valueOf(of, depth - 1), { nil: undefined, freq: 1 });
      if (shape === '[')
        return [name, fc.array(valueOf(of, depth - 1), { minLength: 1, maxLength: 2 })] as const;
      if (shape === '{')
        return [
          name,
          fc.dictionary(fc.string(), valueOf(of, depth - 1), {
            minKeys: 1,
            maxKeys: 2,
            noNullPrototype: true,
          }),
        ] as const;
      return [name, single] as const;
    });
  return fc
    .record(Object.fromEntries(fields), { requiredKeys: [], noNullPrototype: true })
    .map((value) =>
      Object.fromEntries(Object.entries(value as object).filter(([, part]) => part !== undefined)),
    );
}

function encode(type: string, value: unknown): Buffer {
  const short = type.split('.').at(-1)!;
  if (short === 'Quantity') return message([[1, value as string]]);
  if (short === 'Time' || short === 'MicroTime')
    return message([[1, BigInt(Date.parse(value as string) / 1_000)]]);
  if (short === 'FieldsV1') return message([[1, JSON.stringify(value)]]);
  if (short === 'ExtraValue') return message((value as string[]).map((text) => [1, text]));
  if (short === 'IntOrString')
    return typeof value === 'number'
      ? message([
          [1, 0n],
          [2, BigInt(value)],
        ])
      : message([
          [1, 1n],
          [3, value as string],
        ]);
  const object = value as Record<string, unknown>;
  return message(
    rowsOf(type).flatMap(({ number, name, type: of, form }): (readonly [number, Wire])[] => {
      if (name === '-') return [[number, encode(of, value)]];
      const part = object[name];
      if (part === undefined) return [];
      if (form === '[') return (part as unknown[]).map((item) => [number, wire(of, item)]);
      if (form === '{')
        return Object.entries(part as object).map(([key, item]) => [
          number,
          message([
            [1, key],
            [2, wire(of, item)],
          ]),
        ]);
      return [[number, wire(of, part)]];
    }),
  );
}

function wire(type: string, value: unknown): Wire {
  if (type === 'string') return value as string;
  if (type === 'bytes') return Buffer.from(value as string, 'base64');
  if (type === 'bool') return value ? 1n : 0n;
  if (type === 'int32' || type === 'int64') return BigInt(value as number);
  return encode(type, value);
}
