import { readDer, readInside, tags } from './der.ts';

/** Object identifier of DSA keys (RFC 3279 section 2.3.2): inspected, never trusted. */
export const dsaKey = '1.2.840.10040.4.1';

/** A DSA key's numbers, big-endian, with a sign byte where the highest bit is set. */
export interface DsaNumbers {
  p: Buffer;
  q: Buffer;
  g: Buffer;
  y: Buffer;
}

export function readDsaNumbers(spki: Buffer): DsaNumbers {
  return readDer(spki, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      const domain = readInside(inner, tags.sequence, (algorithm) => {
        algorithm.oid();
        return readInside(algorithm, tags.sequence, (three) => ({
          p: three.integer(),
          q: three.integer(),
          g: three.integer(),
        }));
      });
      return { ...domain, y: readDer(inner.bitStringBytes(), (bits) => bits.integer()) };
    }),
  );
}
