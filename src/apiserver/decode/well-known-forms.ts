import { malformed, packedVarints, type WireField, wireFields } from './wire-reader.ts';

/** Reads one message of the table. */
export type MessageReader = (message: string, bytes: Buffer, depth: number) => Record<string, unknown>;

const apimachinery = 'k8s.io.apimachinery.pkg';

/**
 * Messages whose JSON is not an object with their fields; undefined where the message is the zero that JSON leaves
 * out.
 */
export const wellKnownForms: Readonly<Record<string, (bytes: Buffer) => unknown>> = {
  [`${apimachinery}.api.resource.Quantity`]: (bytes) => text(bytes, 1) || '0',
  [`${apimachinery}.apis.meta.v1.Time`]: (bytes) => timestamp(bytes, 0),
  [`${apimachinery}.apis.meta.v1.MicroTime`]: (bytes) => timestamp(bytes, 6),
  [`${apimachinery}.apis.meta.v1.FieldsV1`]: (bytes) => json(field(bytes, 1)?.bytes),
  [`${apimachinery}.apis.meta.v1.Verbs`]: (bytes) => texts(bytes),
  [`${apimachinery}.runtime.RawExtension`]: (bytes) => json(field(bytes, 1)?.bytes),
  [`${apimachinery}.util.intstr.IntOrString`]: (bytes) =>
    field(bytes, 1)?.varint === 1n
      ? text(bytes, 3)
      : Number(BigInt.asIntN(32, field(bytes, 2)?.varint ?? 0n)),
  'k8s.io.api.authentication.v1.ExtraValue': texts,
  'k8s.io.api.authorization.v1.ExtraValue': texts,
};

/** What one occurrence of a field says, as JSON: one value, more where a repeated field is packed. */
export function fieldFromWire(
  type: string,
  wire: WireField,
  depth: number,
  readMessage: MessageReader,
): unknown[] {
  switch (type) {
    case 'string':
      return [wire.bytes.toString('utf8')];
    case 'bytes':
      return [wire.bytes.toString('base64')];
    case 'bool':
      return varints(wire).map((value) => value !== 0n);
    case 'int32':
    case 'int64':
      return varints(wire).map((value) => Number(BigInt.asIntN(64, value)));
    case 'double':
      return wire.bytes.length === 8 ? [wire.bytes.readDoubleLE()] : [];
    default: {
      if (wire.wireType !== 2) throw malformed(`a ${type} is not written as one`);
      const form = wellKnownForms[type];
      return [form ? form(wire.bytes) : readMessage(type, wire.bytes, depth + 1)];
    }
  }
}

function varints({ wireType, varint, bytes }: WireField): bigint[] {
  return wireType === 2 ? [...packedVarints(bytes)] : [varint];
}

function field(bytes: Buffer, number: number): WireField | undefined {
  return wireFields(bytes).find((wire) => wire.number === number);
}

function text(bytes: Buffer, number: number): string {
  return field(bytes, number)?.bytes.toString('utf8') ?? '';
}

function texts(bytes: Buffer): string[] {
  return [...wireFields(bytes).map((wire) => wire.bytes.toString('utf8'))];
}

/** RFC 3339 in UTC with exactly `digits` digits below the second, as metav1.Time and MicroTime print themselves. */
function timestamp(bytes: Buffer, digits: 0 | 6): string | undefined {
  if (bytes.length === 0) return undefined;
  const seconds = Number(BigInt.asIntN(64, field(bytes, 1)?.varint ?? 0n));
  const time = new Date(seconds * 1_000);
  if (Number.isNaN(time.getTime())) throw malformed('a time is out of range');
  const whole = time.toISOString().slice(0, -'.000Z'.length);
  if (digits === 0) return `${whole}Z`;
  const nanos = Number(BigInt.asIntN(32, field(bytes, 2)?.varint ?? 0n));
  return `${whole}.${String(Math.floor(nanos / 1_000)).padStart(6, '0')}Z`;
}

function json(bytes: Buffer | undefined): unknown {
  if (!bytes || bytes.length === 0) return undefined;
  try {
    return JSON.parse(bytes.toString('utf8')) as unknown;
  } catch {
    throw malformed('a raw value in it is not JSON');
  }
}
