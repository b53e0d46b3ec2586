export interface SerialNumber {
  /** In decimal, with a minus where it is negative. */
  decimal: string;
  /** Big-endian. */
  magnitude: Buffer;
}

/** The number that a serial number's content octets stand for (two's complement). */
export function serialNumber(content: Buffer): SerialNumber {
  const unsigned = BigInt(`0x${content.toString('hex')}`);
  const value = content[0]! >= 0x80 ? unsigned - (1n << BigInt(8 * content.length)) : unsigned;
  const hex = (value < 0n ? -value : value).toString(16);
  return {
    decimal: value.toString(),
    magnitude: Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex'),
  };
}
