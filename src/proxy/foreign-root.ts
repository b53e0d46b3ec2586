import { hourMs, secondMs } from '../base/duration.ts';
import type { Entropy } from '../base/entropy.ts';
import { buildCertificate, newSerial } from '../x509/certificate.ts';
import {
  basicConstraints,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../x509/extension.ts';
import { generateKey, keyIdentifier } from '../x509/key.ts';
import { nameOf } from '../x509/name.ts';
import { oids } from '../x509/oid.ts';
import { signerOf } from '../x509/signature.ts';
import type { Credential } from './credential.ts';

/**
 * A leaf in good order for `identity`, under a root that was made a moment ago and that nobody trusts: what an
 * impostor would come with. For showing that it gets nowhere.
 */
export async function foreignCredential(identity: string, at: number, entropy: Entropy): Promise<Credential> {
  const spec = { type: 'ec', curve: 'P-256' } as const;
  const [rootKey, key] = [generateKey(spec, entropy), generateKey(spec, entropy)];
  const issuer = nameOf({ commonName: 'root.of.nobody' });
  const dates = { notBefore: at - 20 * secondMs, notAfter: at + 24 * hourMs };
  const root = await buildCertificate(
    {
      ...{ ...dates, serial: newSerial(entropy), issuer, subject: issuer, publicKey: rootKey.publicKey },
      extensions: [
        basicConstraints({ ca: true }),
        keyUsage(['cert sign', 'crl sign']),
        subjectKeyIdentifier(keyIdentifier(rootKey.publicKey)),
      ],
    },
    signerOf(rootKey),
  );
  const leaf = await buildCertificate(
    {
      ...{ ...dates, serial: newSerial(entropy), issuer, publicKey: key.publicKey },
      subject: nameOf({ commonName: identity }),
      extensions: [
        keyUsage(['digital signature', 'key encipherment']),
        extendedKeyUsage([oids.serverAuth, oids.clientAuth]),
        subjectAltName([{ type: 'dns', value: identity }]),
      ],
    },
    signerOf(rootKey),
  );
  return { chain: [leaf, root], key, validUntilMs: leaf.notAfter };
}
