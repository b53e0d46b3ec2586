import type { Clock } from '../base/clock.ts';
import { dayMs, hourMs } from '../base/duration.ts';
import type { Entropy } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import type { Store } from '../store/store.ts';
import {
  buildCertificate,
  type Certificate,
  certificatePem,
  newSerial,
  readCertificates,
} from '../x509/certificate.ts';
import {
  authorityKeyIdentifier,
  basicConstraints,
  type Extension,
  extendedKeyUsage,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../x509/extension.ts';
import type { GeneralName } from '../x509/general-name.ts';
import { generateKey, keyIdentifier, type PrivateKey, readPrivateKey, writePrivateKey } from '../x509/key.ts';
import { type Name, nameOf } from '../x509/name.ts';
import { signerOf } from '../x509/signature.ts';

const keys = {
  caCertificate: 'kubernetes/server/ca.crt',
  caKey: 'kubernetes/server/ca.key',
  serviceAccountKey: 'kubernetes/server/service-account.key',
} as const;

const purposes = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' } as const;

const caLifetimeMs = 3_650 * dayMs;
export const leafLifetimeMs = 365 * dayMs;
/** Clients' clocks may be a little behind. */
const backdateMs = hourMs;
const keySpec = { type: 'ec', curve: 'P-256' } as const;

/** A certificate and its key, PEM. */
export interface Credentials {
  certificate: string;
  key: string;
}

/** The cluster's own CA: its server certificate and its clients' certificates come from it. */
export class ClusterCertificates {
  readonly #certificate: Certificate;
  readonly #key: PrivateKey;
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  /** What service-account tokens are signed with, PKCS#8 PEM. */
  readonly serviceAccountKey: string;

  private constructor(
    { caCertificate, caKey, serviceAccountKey }: Record<keyof typeof keys, string>,
    { clock, entropy }: { clock: Clock; entropy: Entropy },
  ) {
    this.#certificate = readCertificates(caCertificate)[0]!;
    this.#key = readPrivateKey(caKey);
    this.serviceAccountKey = serviceAccountKey;
    this.#clock = clock;
    this.#entropy = entropy;
  }

  /**
   * Reads the CA and the tokens' key from the store; makes them on the first start.
   *
   * @param clock what those who judge the certificates go by
   */
  static async open(store: Store, context: { clock: Clock; entropy: Entropy }): Promise<ClusterCertificates> {
    const entries = await Promise.all(Object.values(keys).map((key) => store.get(key)));
    if (entries.every((entry) => entry !== undefined)) {
      const [caCertificate, caKey, serviceAccountKey] = entries.map(({ value }) => value.toString());
      return new ClusterCertificates(
        { caCertificate: caCertificate!, caKey: caKey!, serviceAccountKey: serviceAccountKey! },
        context,
      );
    }
    const fresh = await freshKeys(context);
    try {
      await store.commit({
        expect: Object.values(keys).map((key) => ({ key, revision: 0 })),
        puts: (Object.keys(keys) as (keyof typeof keys)[]).map((name) => ({
          key: keys[name],
          value: Buffer.from(fresh[name]),
        })),
      });
    } catch (error) {
      if (!(error instanceof Fault && error.code === 'store.conflict')) throw error;
      throw new Fault("only a part of the cluster's CA is in the store", {
        code: 'apiserver.ca.incomplete',
        blame: 'operator',
        fix: 'restore the store from a backup, or start with an empty one',
        cause: error,
      });
    }
    return new ClusterCertificates(fresh, context);
  }

  /** PEM. */
  get authority(): string {
    return certificatePem(this.#certificate);
  }

  /** For the server itself, under every name that clients reach it by. */
  server(hosts: readonly string[]): Promise<Credentials> {
    const names = [...new Set([...wellKnownHosts, ...hosts])].map(
      (value): GeneralName => ({ type: isAddress(value) ? 'ip' : 'dns', value }),
    );
    return this.#issue(nameOf({ commonName: 'kube-apiserver' }), purposes.serverAuth, [
      subjectAltName(names),
    ]);
  }

  /** For a client: the common name is the user, the organisations are the groups. */
  client(user: string, groups: readonly string[]): Promise<Credentials> {
    const subject = nameOf({ commonName: user, ...(groups.length > 0 ? { organization: groups } : {}) });
    return this.#issue(subject, purposes.clientAuth, []);
  }

  async #issue(subject: Name, purpose: string, more: readonly Extension[]): Promise<Credentials> {
    const key = generateKey(keySpec, this.#entropy);
    const now = this.#clock.now();
    const certificate = await buildCertificate(
      {
        serial: newSerial(this.#entropy),
        issuer: this.#certificate.subject,
        subject,
        notBefore: Math.max(now - backdateMs, this.#certificate.notBefore),
        notAfter: Math.min(now + leafLifetimeMs, this.#certificate.notAfter),
        publicKey: key.publicKey,
        extensions: [
          keyUsage(['digital signature']),
          extendedKeyUsage([purpose]),
          basicConstraints({ ca: false }),
          authorityKeyIdentifier(keyIdentifier(this.#key.publicKey)),
          ...more,
        ],
      },
      signerOf(this.#key),
    );
    return { certificate: certificatePem(certificate), key: writePrivateKey(key, 'pkcs8') };
  }
}

const wellKnownHosts = [
  'localhost',
  'kubernetes',
  'kubernetes.default',
  'kubernetes.default.svc',
  'kubernetes.default.svc.cluster.local',
  '127.0.0.1',
  '::1',
];

function isAddress(host: string): boolean {
  return host.includes(':') || /^\d+(\.\d+){3}$/.test(host);
}

async function freshKeys({
  clock,
  entropy,
}: {
  clock: Clock;
  entropy: Entropy;
}): Promise<Record<keyof typeof keys, string>> {
  const key = generateKey(keySpec, entropy);
  const subject = nameOf({ commonName: 'kubernetes-ca' });
  const now = clock.now();
  const certificate = await buildCertificate(
    {
      serial: newSerial(entropy),
      issuer: subject,
      subject,
      notBefore: now - backdateMs,
      notAfter: now + caLifetimeMs,
      publicKey: key.publicKey,
      extensions: [
        keyUsage(['digital signature', 'key encipherment', 'cert sign']),
        basicConstraints({ ca: true }),
        subjectKeyIdentifier(keyIdentifier(key.publicKey)),
      ],
    },
    signerOf(key),
  );
  return {
    caCertificate: certificatePem(certificate),
    caKey: writePrivateKey(key, 'pkcs8'),
    serviceAccountKey: writePrivateKey(generateKey(keySpec, entropy), 'pkcs8'),
  };
}

/** A kubeconfig that holds all it needs. */
export function kubeconfigText(server: string, ca: string, user: string, credentials: Credentials): string {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return `apiVersion: v1
kind: Config
clusters:
- name: capstan
  cluster:
    certificate-authority-data: ${base64(ca)}
    server: ${server}
contexts:
- name: capstan
  context:
    cluster: capstan
    user: ${JSON.stringify(user)}
current-context: capstan
preferences: {}
users:
- name: ${JSON.stringify(user)}
  user:
    client-certificate-data: ${base64(credentials.certificate)}
    client-key-data: ${base64(credentials.key)}
`;
}
