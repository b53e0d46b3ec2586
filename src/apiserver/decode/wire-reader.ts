import { Fault } from '../../base/fault.ts';

/** One field as protobuf's wire format has it: a varint, or bytes. Fixed-width fields come as their bytes. */
export interface WireField {
  number: number;
  /** 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
  wireType: number;
  varint: bigint;
  bytes: Buffer;
}

const noBytes = Buffer.alloc(0);

/**
 * The fields of one message, in the order sent.
 *
 * @throws Fault `apiserver.body.protobuf` where the bytes end early or use what proto2 gave up (groups).
 */
export function* wireFields(message: Buffer): Generator<WireField> {
  let at = 0;
  const take = (length: number): Buffer => {
    if (length > message.length - at) throw malformed('it ends within a field');
    at += length;
    return message.subarray(at - length, at);
  };
  const varint = (): bigint => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = take(1)[0]!;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw malformed('a number is longer than ten bytes');
  };
  while (at < message.length) {
    const tag = Number(varint());
    const field: WireField = { number: Math.floor(tag / 8), wireType: tag % 8, varint: 0n, bytes: noBytes };
    if (field.number === 0) throw malformed('a field has the number 0');
    if (field.wireType === 0) field.varint = varint();
    else if (field.wireType === 1) field.bytes = take(8);
    else if (field.wireType === 2) field.bytes = take(Number(varint()));
    else if (field.wireType === 5) field.bytes = take(4);
    else throw malformed(`a field has the wire type ${field.wireType}`);
    yield field;
  }
}

/** The numbers in a packed repeated field. */
export function* packedVarints(bytes: Buffer): Generator<bigint> {
  let value = 0n;
  let shift = 0n;
  for (const byte of bytes) {
    value |= BigInt(byte & 0x7f) << shift;
    shift += 7n;
    if (byte >= 0x80) continue;
    yield BigInt.asUintN(64, value);
    value = 0n;
    shift = 0n;
  }
}

export function malformed(why: string): Fault {
  return new Fault(`the body is not a protobuf message: ${why}`, {
    code: 'apiserver.body.protobuf',
    blame: 'caller',
  });
}
