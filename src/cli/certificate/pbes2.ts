import { createCipheriv, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import type { Entropy } from '../../base/entropy.ts';
import { writeDer } from '../../x509/der.ts';

const pbes2 = '1.2.840.113549.1.5.13';
const pbkdf2Oid = '1.2.840.113549.1.5.12';
const hmacWithSha256 = '1.2.840.113549.2.9';
const aes256Cbc = '2.16.840.1.101.3.4.1.42';

/** What OWASP asks of PBKDF2 with HMAC-SHA-256 (2023), and step does. Node's own export takes 2,048. */
const iterations = 600_000;

const derive = promisify(pbkdf2);

export interface Encrypted {
  /** AlgorithmIdentifier, DER. */
  algorithm: Buffer;
  content: Buffer;
}

/** Encrypts under a password: PBES2 of RFC 8018, PBKDF2 with HMAC-SHA-256 and AES-256 in CBC mode. */
export async function encryptPbes2(clear: Buffer, password: string, entropy: Entropy): Promise<Encrypted> {
  const salt = entropy.bytes(16);
  const iv = entropy.bytes(16);
  const key = await derive(password, salt, iterations, 32, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', key, iv);
  const content = Buffer.concat([cipher.update(clear), cipher.final()]);
  const algorithm = writeDer((writer) =>
    writer.sequence(() => {
      writer.oid(pbes2).sequence(() => {
        writer.sequence(() => {
          writer.oid(pbkdf2Oid).sequence(() => {
            writer.octetString(salt).smallInteger(iterations);
            writer.sequence(() => writer.oid(hmacWithSha256).null());
          });
        });
        writer.sequence(() => writer.oid(aes256Cbc).octetString(iv));
      });
    }),
  );
  return { algorithm, content };
}
