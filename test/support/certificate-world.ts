import { seededEntropy } from '../../src/base/entropy.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { ManualClock } from '../../src/base/manual-clock.ts';
import { type CertManager, startCertManager } from '../../src/certmanager/controllers.ts';
import {
  type Certificate,
  type CertificateRequest,
  type CertificateSpec,
  certificateRequests,
  certificates,
  clusterIssuers,
  type Issuer,
} from '../../src/certmanager/kinds.ts';
import type { KubeClient } from '../../src/kube/kube-client.ts';
import { type Condition, events, type KubeObject, type Secret, secrets } from '../../src/kube/resource.ts';
import { readCertificates, type Certificate as X509Certificate } from '../../src/x509/certificate.ts';
import { type FakeVault, fakeVault } from './fake-vault.ts';
import { type MemoryKube, memoryKube } from './memory-kube.ts';

export const certificateName = 'linkerd-identity-issuer';

/** The Certificate of the main job. */
export const tutorialSpec: CertificateSpec = {
  secretName: certificateName,
  duration: '48h',
  renewBefore: '25h',
  issuerRef: { name: 'vault-issuer', kind: 'ClusterIssuer' },
  commonName: 'identity.linkerd.cluster.local',
  dnsNames: ['identity.linkerd.cluster.local'],
  isCA: true,
  privateKey: { algorithm: 'ECDSA' },
  usages: ['cert sign', 'crl sign', 'server auth', 'client auth'],
};

export interface CertificateWorld {
  clock: ManualClock;
  kube: MemoryKube;
  vault: FakeVault;
  /** Starts the controllers, on `client` where another than the world's own. */
  start(client?: KubeClient): Promise<CertManager>;
  /** Lets everything that can happen without time happen. */
  settle(): Promise<void>;
  createToken(token?: string): Promise<void>;
  createIssuer(spec?: Issuer['spec']): Promise<void>;
  createCertificate(spec?: Partial<CertificateSpec>, name?: string): Promise<void>;
  certificate(name?: string): Promise<Certificate>;
  condition(type: string, name?: string): Promise<Condition | undefined>;
  issuerCondition(type: string): Promise<Condition | undefined>;
  requests(): Promise<CertificateRequest[]>;
  secret(name?: string): Promise<Secret | undefined>;
  /** The first certificate in a Secret's tls.crt. */
  leaf(name?: string): Promise<X509Certificate>;
  /** `reason: message` of every event about an object of this kind, in order. */
  told(kind: string): Promise<string[]>;
}

/** Simulated time, an API server in memory and a CA behind a port: all that the certificate controllers touch. */
export async function certificateWorld(
  options: { log?: Log; seed?: string } = {},
): Promise<CertificateWorld> {
  const clock = new ManualClock();
  const entropy = seededEntropy(options.seed ?? 'certificate world');
  const kube = memoryKube(clock);
  const vault = await fakeVault(clock, entropy);
  const world: CertificateWorld = {
    clock,
    kube,
    vault,
    start: (client = kube) =>
      startCertManager({
        kube: client,
        clock,
        entropy,
        log: options.log ?? silentLog,
        http: () => vault.http,
        clusterResourceNamespace: 'cert-manager',
      }),
    async settle() {
      for (let turns = 0; turns < 40; turns++) await clock.advance(0);
    },
    async createToken(token = 'good-token') {
      await kube.create<Secret>(secrets, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'my-secret-token', namespace: 'cert-manager' },
        type: 'Opaque',
        data: { token: Buffer.from(token).toString('base64') },
      });
    },
    async createIssuer(spec) {
      await kube.create<Issuer>(clusterIssuers, {
        apiVersion: 'cert-manager.io/v1',
        kind: 'ClusterIssuer',
        metadata: { name: 'vault-issuer' },
        spec: spec ?? {
          vault: {
            server: 'http://127.0.0.1:8200',
            path: 'pki/root/sign-intermediate',
            auth: { tokenSecretRef: { name: 'my-secret-token', key: 'token' } },
          },
        },
      });
    },
    async createCertificate(spec = {}, name = certificateName) {
      await kube.create<Certificate>(certificates, {
        apiVersion: 'cert-manager.io/v1',
        kind: 'Certificate',
        metadata: { name, namespace: 'linkerd' },
        spec: { ...tutorialSpec, ...spec },
      });
    },
    certificate: async (name = certificateName) =>
      (await kube.get<Certificate>(certificates, name, 'linkerd'))!,
    condition: async (type, name) =>
      (await world.certificate(name)).status?.conditions?.find((condition) => condition.type === type),
    async issuerCondition(type) {
      const issuer = await kube.get<Issuer>(clusterIssuers, 'vault-issuer');
      return issuer?.status?.conditions?.find((condition) => condition.type === type);
    },
    requests: async () => (await kube.list<CertificateRequest>(certificateRequests)).items,
    secret: (name = certificateName) => kube.get<Secret>(secrets, name, 'linkerd'),
    async leaf(name) {
      const pem = Buffer.from((await world.secret(name))!.data!['tls.crt']!, 'base64').toString();
      return readCertificates(pem)[0]!;
    },
    async told(kind) {
      const { items } = await kube.list<
        KubeObject & { involvedObject: { kind: string }; reason: string; message: string }
      >(events);
      return items
        .filter(({ involvedObject }) => involvedObject.kind === kind)
        .map(({ reason, message }) => `${reason}: ${message}`);
    },
  };
  return world;
}
