import { dayMs } from '../../src/base/duration.ts';
import { seededEntropy } from '../../src/base/entropy.ts';
import {
  buildCertificate,
  type Certificate,
  type CertificateTemplate,
  newSerial,
} from '../../src/x509/certificate.ts';
import {
  authorityInfoAccess,
  authorityKeyIdentifier,
  basicConstraints,
  crlDistributionPoints,
  type Extension,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../src/x509/extension.ts';
import { generateKeyAsync, type KeySpec, keyIdentifier, type PrivateKey } from '../../src/x509/key.ts';
import { nameOf } from '../../src/x509/name.ts';
import { oids } from '../../src/x509/oid.ts';
import { buildRequest, type CertificateRequest } from '../../src/x509/request.ts';
import { signerOf } from '../../src/x509/signature.ts';

/** The instant around which the example certificates are valid. */
export const exampleNow = Date.UTC(2026, 5, 1, 12);

export interface Authority {
  certificate: Certificate;
  key: PrivateKey;
}

export interface Issued {
  name: string;
  issuer?: Authority;
  spec?: KeySpec;
  key?: PrivateKey;
  /** Whether it may issue; with a number, at most so many intermediates below it. */
  ca?: boolean | number;
  extensions?: readonly Extension[];
  /** What takes the place of the template's parts. */
  override?: Partial<CertificateTemplate>;
}

let count = 0;

/** A certificate as Vault makes them, with its key; by itself where no issuer is named. */
export async function issue(issued: Issued): Promise<Authority> {
  const entropy = seededEntropy(`${issued.name} ${count++}`);
  const key = issued.key ?? (await generateKeyAsync(issued.spec ?? { type: 'ec', curve: 'P-256' }, entropy));
  const subject = nameOf({ commonName: issued.name });
  const { ca = false } = issued;
  const pathLength = typeof ca === 'number' ? { pathLength: ca } : {};
  const id = keyIdentifier(key.publicKey);
  const template: CertificateTemplate = {
    serial: newSerial(entropy),
    issuer: issued.issuer?.certificate.subject ?? subject,
    subject,
    notBefore: exampleNow - dayMs,
    notAfter: exampleNow + dayMs,
    publicKey: key.publicKey,
    extensions: [
      ...(ca === false
        ? [keyUsage(['digital signature']), extendedKeyUsage([oids.serverAuth, oids.clientAuth])]
        : [keyUsage(['cert sign', 'crl sign']), basicConstraints({ ca: true, ...pathLength })]),
      subjectKeyIdentifier(id),
      authorityKeyIdentifier(issued.issuer?.certificate.subjectKeyId ?? id),
      ...(ca === false ? [subjectAltName([{ type: 'dns', value: issued.name }])] : []),
      ...(issued.extensions ?? []),
    ],
    ...issued.override,
  };
  return { certificate: await buildCertificate(template, signerOf(issued.issuer?.key ?? key)), key };
}

/** Root, intermediate and leaf, and a request with every common extension. */
export async function exampleChain(): Promise<{
  root: Authority;
  intermediate: Authority;
  leaf: Authority;
  request: CertificateRequest;
}> {
  const root = await issue({
    name: 'root.linkerd.cluster.local',
    ca: true,
    extensions: [
      authorityInfoAccess({ caIssuers: ['http://127.0.0.1:8200/v1/pki/ca'] }),
      subjectAltName([{ type: 'dns', value: 'root.linkerd.cluster.local' }]),
      crlDistributionPoints(['http://127.0.0.1:8200/v1/pki/crl']),
    ],
  });
  const intermediate = await issue({ name: 'identity.linkerd.cluster.local', ca: 0, issuer: root });
  const leaf = await issue({ name: 'web.emojivoto.serviceaccount.identity.linkerd', issuer: intermediate });
  const request = await buildRequest(
    {
      subject: nameOf({ commonName: 'web', organization: ['Capstan', 'Größe'], country: ['CH'] }),
      extensions: [
        subjectAltName([
          { type: 'dns', value: 'web.example.com' },
          { type: 'email', value: 'web@example.com' },
          { type: 'uri', value: 'spiffe://example.com/web' },
          { type: 'ip', value: '192.0.2.7' },
          { type: 'ip', value: '2001:db8::7' },
          { type: 'rid', value: '1.2.3.4' },
          { type: 'directory', value: nameOf({ commonName: 'directory' }) },
          { type: 'other', oid: '1.3.6.1.4.1.311.20.2.3', value: Buffer.from('0c017a', 'hex') },
        ]),
        keyUsage(['digital signature', 'decipher only']),
        basicConstraints({ ca: false }),
      ],
    },
    signerOf(leaf.key),
  );
  return { root, intermediate, leaf, request };
}
