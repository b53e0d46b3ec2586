import { readFileSync } from 'node:fs';
import { apiVersionOf, builtinKind, metaDefinitions } from '../schema/kinds.ts';
import { fieldFromWire, type MessageReader, wellKnownForms } from './well-known-forms.ts';
import { malformed, wireFields } from './wire-reader.ts';

/** What every Kubernetes protobuf body starts with. */
const magic = Buffer.from('k8s\0');

interface MessageField {
  /** The name in JSON; undefined where the message's fields stand in its place. */
  name: string | undefined;
  type: string;
  form: 'single' | 'list' | 'map';
  /** A zero counts as said; elsewhere Go's JSON leaves a zero out, so it is left out here. */
  zeroCounts: boolean;
}

type MessageFields = ReadonlyMap<number, MessageField>;

let rows: Record<string, readonly string[]> | undefined;
const messages = new Map<string, MessageFields>();

export interface Expected {
  group: string;
  version: string;
  kind: string;
}

/** Whether bytes start as a Kubernetes protobuf body does. */
export function isKubernetesProtobuf(bytes: Buffer): boolean {
  return bytes.subarray(0, magic.length).equals(magic);
}

/**
 * The object in a Kubernetes protobuf body (`k8s\0` and an Unknown message), in the form JSON would have. Fields
 * that the table does not know are skipped, as an older server does.
 *
 * @param expected the kind where the envelope does not name one
 * @throws Fault `apiserver.body.protobuf` where the bytes are none, `apiserver.body.kind` where they hold a kind that
 *   is not in the table
 */
export function decodeProtobuf(bytes: Buffer, expected: Expected): Record<string, unknown> {
  if (!isKubernetesProtobuf(bytes)) throw malformed('it does not start with k8s\\0');
  const envelope = readEnvelope(bytes.subarray(magic.length));
  const apiVersion = envelope.apiVersion || apiVersionOf(expected);
  const kind = envelope.kind || expected.kind;
  const message = messageOf(apiVersion, kind);
  if (!message) throw malformed(`no message is known for ${kind} of ${apiVersion}`);
  return { apiVersion, kind, ...readMessage(message, envelope.raw, 0) };
}

function readEnvelope(bytes: Buffer): { apiVersion: string; kind: string; raw: Buffer } {
  const envelope = { apiVersion: '', kind: '', raw: bytes.subarray(0, 0) };
  for (const { number, bytes: content } of wireFields(bytes)) {
    if (number === 2) envelope.raw = content;
    if (number === 3 && content.length > 0)
      throw malformed(`its content is encoded as ${content.toString()}`);
    if (number !== 1) continue;
    for (const part of wireFields(content)) {
      if (part.number === 1) envelope.apiVersion = part.bytes.toString();
      if (part.number === 2) envelope.kind = part.bytes.toString();
    }
  }
  return envelope;
}

/** DeleteOptions are registered in every group, so its group says nothing. */
function messageOf(apiVersion: string, kind: string): string | undefined {
  if (kind === 'DeleteOptions') return messageName(`${metaDefinitions}.DeleteOptions`);
  const [version, group = ''] = apiVersion.split('/').toReversed();
  if (group === 'autoscaling' && kind === 'Scale') return messageName('io.k8s.api.autoscaling.v1.Scale');
  const definition = builtinKind(group, version!, kind)?.schema.name;
  const message = definition === undefined ? undefined : messageName(definition);
  return message !== undefined && messageFields(message) ? message : undefined;
}

function messageName(definition: string): string {
  return definition.replace(/^io\.k8s\./, 'k8s.io.');
}

/** Deep enough for every kind, shallow enough for the stack: JSONSchemaProps and its like nest without end. */
const depthLimit = 100;

const readMessage: MessageReader = (message, bytes, depth) => {
  if (depth > depthLimit) throw malformed(`it nests more than ${depthLimit} messages`);
  const fields = messageFields(message);
  if (!fields) throw malformed(`no message ${message} is known`);
  const object = new Map<string, unknown>();
  for (const wire of wireFields(bytes)) {
    const field = fields.get(wire.number);
    if (!field) continue;
    const { name, type, form, zeroCounts } = field;
    if (name === undefined) {
      const inline = readMessage(type, wire.bytes, depth + 1);
      for (const [key, value] of Object.entries(inline)) object.set(key, value);
    } else if (form === 'list') {
      const list = (object.get(name) ?? []) as unknown[];
      list.push(...fieldFromWire(type, wire, depth, readMessage));
      object.set(name, list);
    } else if (form === 'map') {
      const entries = (object.get(name) ?? new Map()) as Map<string, unknown>;
      object.set(name, entries.set(...readMapEntry(type, wire.bytes, depth)));
    } else {
      const [value] = fieldFromWire(type, wire, depth, readMessage);
      if (value === undefined || (!zeroCounts && isZero(value))) object.delete(name);
      else object.set(name, value);
    }
  }
  return Object.fromEntries(
    [...object].map(([name, value]) => [name, value instanceof Map ? Object.fromEntries(value) : value]),
  );
};

/** A map is a list of messages with a key and a value; either is left out where it is zero. */
function readMapEntry(type: string, bytes: Buffer, depth: number): [string, unknown] {
  let key = '';
  let value: unknown = zeroOf(type, depth);
  for (const wire of wireFields(bytes)) {
    if (wire.number === 1) key = wire.bytes.toString();
    if (wire.number === 2) [value] = fieldFromWire(type, wire, depth, readMessage);
  }
  return [key, value];
}

function zeroOf(type: string, depth: number): unknown {
  if (type === 'bool') return false;
  if (type === 'string' || type === 'bytes') return '';
  if (!type.includes('.')) return 0;
  return wellKnownForms[type] ? undefined : readMessage(type, Buffer.alloc(0), depth + 1);
}

function isZero(value: unknown): boolean {
  return value === '' || value === 0 || value === false;
}

function messageFields(message: string): MessageFields | undefined {
  const known = messages.get(message);
  if (known) return known;
  rows ??= readRows();
  const fields = rows[message]?.map(parseRow);
  if (!fields) return undefined;
  const map = new Map(fields);
  messages.set(message, map);
  return map;
}

/** `<number> <name or -> <type>`, the type `[repeated]`, `{map values}` or with a `!` where zero counts. */
function parseRow(row: string): [number, MessageField] {
  const [number, name, type] = row.split(' ') as [string, string, string];
  const form = type.startsWith('[') ? 'list' : type.startsWith('{') ? 'map' : 'single';
  return [
    Number(number),
    {
      name: name === '-' ? undefined : name,
      type: form === 'single' ? type.replace('!', '') : type.slice(1, -1),
      form,
      zeroCounts: type.endsWith('!'),
    },
  ];
}

function readRows(): Record<string, readonly string[]> {
  const text = readFileSync(new URL('./generated/protobuf.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { messages: Record<string, readonly string[]> }).messages;
}
