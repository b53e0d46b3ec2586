import { createHash, createHmac } from 'node:crypto';
import type { Entropy } from '../../base/entropy.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { context, contextConstructed, type DerWriter, writeDer } from '../../x509/der.ts';
import type { PrivateKey } from '../../x509/key.ts';
import { oids } from '../../x509/oid.ts';
import { encryptPbes2 } from './pbes2.ts';
import { encryptedPrivateKey } from './private-key.ts';

const data = '1.2.840.113549.1.7.1';
const encryptedData = '1.2.840.113549.1.7.6';
const shroudedKeyBag = '1.2.840.113549.1.12.10.1.2';
const certificateBag = '1.2.840.113549.1.12.10.1.3';
const x509Certificate = '1.2.840.113549.1.9.22.1';
const localKeyId = '1.2.840.113549.1.9.21';

/** The derivation below repeats a hash; as often as OpenSSL's own files have PBKDF2 repeat its. */
const macIterations = 2_048;

export interface Pkcs12Contents {
  /** The key's own certificate first, where there is a key. */
  certificates: readonly Certificate[];
  key?: PrivateKey | undefined;
}

/** A PFX (RFC 7292): everything under PBES2 with AES-256, all of it under HMAC-SHA-256. DER. */
export async function writePkcs12(
  { certificates, key }: Pkcs12Contents,
  password: string,
  entropy: Entropy,
): Promise<Buffer> {
  const own = key && certificates[0];
  const id = own && createHash('sha1').update(own.der).digest();
  const bags = writeDer((writer) =>
    writer.sequence(() => {
      for (const certificate of certificates) {
        writeBag(writer, certificateBag, certificate === own ? id : undefined, () =>
          writer.sequence(() =>
            writer
              .oid(x509Certificate)
              .wrap(contextConstructed(0), () => writer.octetString(certificate.der)),
          ),
        );
      }
    }),
  );
  const { algorithm, content } = await encryptPbes2(bags, password, entropy);
  const shrouded = key && (await encryptedPrivateKey(key, password, entropy));
  const safe = writeDer((writer) =>
    writer.sequence(() => {
      writeContent(writer, encryptedData, () =>
        writer.sequence(() => {
          writer.smallInteger(0);
          writer.sequence(() => writer.oid(data).raw(algorithm).primitive(context(0), content));
        }),
      );
      if (!shrouded) return;
      writeContent(writer, data, () =>
        writer.octetStringOf(() =>
          writer.sequence(() => writeBag(writer, shroudedKeyBag, id, () => writer.raw(shrouded))),
        ),
      );
    }),
  );
  return sealed(safe, password, entropy);
}

/** ContentInfo (RFC 5652 section 3). */
function writeContent(writer: DerWriter, type: string, write: () => void): void {
  writer.sequence(() => writer.oid(type).wrap(contextConstructed(0), write));
}

/** SafeBag (RFC 7292 section 4.2); the same `id` ties a key to its certificate. */
function writeBag(writer: DerWriter, type: string, id: Buffer | undefined, write: () => void): void {
  writer.sequence(() => {
    writer.oid(type).wrap(contextConstructed(0), write);
    if (!id) return;
    writer.set(() => writer.sequence(() => writer.oid(localKeyId).set(() => writer.octetString(id))));
  });
}

/** The outermost frame, with the code that authenticates what is inside. */
function sealed(safe: Buffer, password: string, entropy: Entropy): Buffer {
  const salt = entropy.bytes(16);
  const mac = createHmac('sha256', macKey(password, salt)).update(safe).digest();
  return writeDer((writer) =>
    writer.sequence(() => {
      writer.smallInteger(3);
      writeContent(writer, data, () => writer.octetString(safe));
      writer.sequence(() => {
        writer.sequence(() => writer.sequence(() => writer.oid(oids.sha256).null()).octetString(mac));
        writer.octetString(salt).smallInteger(macIterations);
      });
    }),
  );
}

/**
 * RFC 7292 appendix B.2 with SHA-256 and purpose 3, which is for the key of a MAC. Such a key is as long as one
 * hash, so that the first block is all of it.
 */
function macKey(password: string, salt: Buffer): Buffer {
  const blockSize = 64;
  const wide = Buffer.from(`${password}\0`, 'utf16le').swap16();
  const filled = (bytes: Buffer) => Buffer.alloc(Math.ceil(bytes.length / blockSize) * blockSize, bytes);
  let key = Buffer.concat([Buffer.alloc(blockSize, 3), filled(salt), filled(wide)]);
  for (let round = 0; round < macIterations; round++) key = createHash('sha256').update(key).digest();
  return key;
}
