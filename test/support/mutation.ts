import * as fc from 'fast-check';

export interface Mutation {
  at: number;
  kind: 'set' | 'insert' | 'remove' | 'cut';
  byte: number;
}

/** A few changes of single bytes, many of them to what DER gives a meaning. */
export const mutations = fc.array(
  fc.record({
    at: fc.nat(2_000),
    kind: fc.constantFrom('set' as const, 'insert' as const, 'remove' as const, 'cut' as const),
    byte: fc.oneof(
      fc.nat(255),
      fc.constantFrom(0, 1, 0x30, 0x31, 0x7f, 0x80, 0x81, 0x82, 0x84, 0xa0, 0xa3, 0xff),
    ),
  }),
  { minLength: 1, maxLength: 4 },
);

/** `der` after those changes. */
export function mutate(der: Buffer, changes: readonly Mutation[]): Buffer {
  let bytes = [...der];
  for (const { at, kind, byte } of changes) {
    const index = at % Math.max(1, bytes.length);
    if (kind === 'cut') bytes = bytes.slice(0, index);
    else if (kind === 'set') bytes[index] = byte;
    else bytes.splice(index, kind === 'remove' ? 1 : 0, ...(kind === 'insert' ? [byte] : []));
  }
  return Buffer.from(bytes);
}
