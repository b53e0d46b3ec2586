import { Fault } from '../base/fault.ts';

/** One field of an encoded message (protobuf.dev, "Encoding"). */
export type Field =
  | { number: number; type: 'varint'; value: bigint }
  | { number: number; type: 'bytes'; value: Buffer }
  | { number: number; type: 'fixed64' | 'fixed32'; value: Buffer };

const wireTypes = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;
const largestFieldNumber = 2 ** 29 - 1;

/**
 * The fields of a message in the order they stand. Strict: a varint past ten bytes or 64 bits, a field cut short,
 * field number zero and the long-gone groups are refused.
 *
 * @throws Fault `wire.protobuf.malformed`
 */
export function readFields(message: Buffer): Field[] {
  const fields: Field[] = [];
  let at = 0;
  while (at < message.length) {
    const [tag, afterTag] = readVarint(message, at);
    const number = Number(tag >> 3n);
    if (number === 0 || number > largestFieldNumber) throw malformed(`field number ${number} at byte ${at}`);
    const [field, next] = readValue(message, afterTag, number, Number(tag & 7n));
    fields.push(field);
    at = next;
  }
  return fields;
}

function readValue(message: Buffer, at: number, number: number, wireType: number): [Field, number] {
  switch (wireType) {
    case wireTypes.varint: {
      const [value, next] = readVarint(message, at);
      return [{ number, type: 'varint', value }, next];
    }
    case wireTypes.fixed64:
      return [{ number, type: 'fixed64', value: slice(message, at, 8) }, at + 8];
    case wireTypes.bytes: {
      const [length, start] = readVarint(message, at);
      if (length > BigInt(message.length)) throw malformed(`field ${number} is longer than its message`);
      const size = Number(length);
      return [{ number, type: 'bytes', value: slice(message, start, size) }, start + size];
    }
    case wireTypes.fixed32:
      return [{ number, type: 'fixed32', value: slice(message, at, 4) }, at + 4];
    default:
      throw malformed(`field ${number} has wire type ${wireType}`);
  }
}

function readVarint(message: Buffer, start: number): [bigint, number] {
  let value = 0n;
  for (let index = 0; index < 10; index++) {
    const byte = message[start + index];
    if (byte === undefined) throw malformed(`a number is cut short at byte ${start}`);
    value |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) {
      if (value >= 1n << 64n) break;
      return [value, start + index + 1];
    }
  }
  throw malformed(`a number at byte ${start} has more than 64 bits`);
}

function slice(message: Buffer, start: number, size: number): Buffer {
  if (start + size > message.length) throw malformed(`a field is cut short at byte ${start}`);
  return message.subarray(start, start + size);
}

/** The bytes of a string, bytes or message field. @throws Fault `wire.protobuf.malformed` for another wire type */
export function bytesOf(field: Field): Buffer {
  if (field.type !== 'bytes') throw malformed(`field ${field.number} has the wrong wire type`);
  return field.value;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A string field. @throws Fault `wire.protobuf.malformed` where it is not UTF-8, as proto3 demands */
export function textOf(field: Field): string {
  try {
    return utf8.decode(bytesOf(field));
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw malformed(`field ${field.number} is not UTF-8`);
  }
}

/** A signed 64-bit integer field (int64, int32). */
export function integerOf(field: Field): bigint {
  if (field.type !== 'varint') throw malformed(`field ${field.number} has the wrong wire type`);
  return BigInt.asIntN(64, field.value);
}

/** A string, bytes or message field; nothing where it is empty, which is proto3's default for the first two. */
export function bytesField(number: number, value: Uint8Array, { evenEmpty = false } = {}): Buffer {
  if (value.length === 0 && !evenEmpty) return Buffer.alloc(0);
  return Buffer.concat([
    varint((BigInt(number) << 3n) | BigInt(wireTypes.bytes)),
    varint(BigInt(value.length)),
    value,
  ]);
}

/** An int64 or int32 field; nothing where it is zero. */
export function integerField(number: number, value: bigint): Buffer {
  if (value === 0n) return Buffer.alloc(0);
  return Buffer.concat([varint(BigInt(number) << 3n), varint(BigInt.asUintN(64, value))]);
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Buffer.from(bytes);
}

function malformed(what: string): Fault {
  return new Fault(`the message is not valid protobuf: ${what}`, {
    code: 'wire.protobuf.malformed',
    blame: 'caller',
  });
}
