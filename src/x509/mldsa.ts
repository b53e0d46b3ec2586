import { generateKeyPairSync } from 'node:crypto';
import { Fault } from '../base/fault.ts';
import { context, readDer, readInside, tags, writeDer } from './der.ts';

let supported: boolean | undefined;

/** Whether this Node makes and verifies ML-DSA signatures: 24.6 and newer over OpenSSL 3.5. */
export function mldsaSupported(): boolean {
  supported ??= triesToMake();
  return supported;
}

function triesToMake(): boolean {
  try {
    generateKeyPairSync('ml-dsa-44');
    return true;
  } catch {
    return false;
  }
}

export function unsupportedMldsa(): Fault {
  return new Fault('ML-DSA keys are not supported by this Node.js', {
    code: 'x509.key.unsupported',
    blame: 'operator',
    fix: 'run it on Node.js 24.6 or newer, built with OpenSSL 3.5 or newer',
  });
}

/**
 * The PKCS #8 form of a key with only the seed in it, 32 bytes from which all the rest is worked out (RFC 9881 section
 * 6), where OpenSSL writes both. Other tools may read no other form. A key that came without its seed stays as it is.
 */
export function seedOnly(pkcs8: Buffer): Buffer {
  return readDer(pkcs8, (reader) =>
    readInside(reader, tags.sequence, (inner) => {
      inner.smallInteger(1);
      const algorithm = inner.element(tags.sequence);
      const seed = readSeed(inner.octetString());
      while (!inner.atEnd) inner.anything();
      if (!seed) return pkcs8;
      return writeDer((writer) =>
        writer.sequence(() =>
          writer
            .smallInteger(0)
            .raw(algorithm)
            .octetString(writeDer((part) => part.primitive(context(0), seed))),
        ),
      );
    }),
  );
}

function readSeed(content: Buffer): Buffer | undefined {
  return readDer(content, (reader) => {
    if (reader.nextTag === context(0)) return reader.content(context(0));
    if (reader.nextTag !== tags.sequence) {
      reader.anything();
      return undefined;
    }
    return readInside(reader, tags.sequence, (both) => {
      const seed = both.octetString();
      both.octetString();
      return seed;
    });
  });
}
