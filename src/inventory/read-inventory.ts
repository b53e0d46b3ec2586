import type { Clock } from '../base/clock.ts';
import { describeError, Fault } from '../base/fault.ts';
import { refusedFor } from '../kube/api-fault.ts';
import type { KubeClient, ListOptions } from '../kube/kube-client.ts';
import {
  type Condition,
  type ConfigMap,
  configMaps,
  type KubeObject,
  type Resource,
  type Secret,
  secrets,
} from '../kube/resource.ts';
import type { Certificate } from '../x509/certificate.ts';
import { type CertificatesSeen, certificatesSeen } from './certificates-seen.ts';
import {
  certificatesAt,
  issuerSecretName,
  linkerdConfigName,
  readIssuerSecret,
  readLinkerdConfig,
  readTrustRoots,
  trustRootsName,
} from './identity-objects.ts';
import type {
  BundleResource,
  CertificateResource,
  Inventory,
  IssuerResource,
  SeenEndpoint,
} from './inventory.ts';
import { servedChain, type TlsEndpoint } from './served.ts';

const certManager = { group: 'cert-manager.io', version: 'v1' };
const certificateKind: Resource = {
  ...certManager,
  kind: 'Certificate',
  plural: 'certificates',
  namespaced: true,
};
const issuerKinds: readonly Resource[] = [
  { ...certManager, kind: 'Issuer', plural: 'issuers', namespaced: true },
  { ...certManager, kind: 'ClusterIssuer', plural: 'clusterissuers', namespaced: false },
];
const bundleKind: Resource = {
  group: 'trust.cert-manager.io',
  version: 'v1alpha1',
  kind: 'Bundle',
  plural: 'bundles',
  namespaced: false,
};
const bundleLabel = 'trust.cert-manager.io/bundle';

interface WithStatus extends KubeObject {
  spec?: Record<string, unknown>;
  status?: { conditions?: Condition[]; notAfter?: string; renewalTime?: string };
}

export interface InventoryOptions {
  kube: KubeClient;
  clock: Clock;
  controlNamespace?: string;
  /** TLS servers to look at. */
  endpoints?: readonly TlsEndpoint[];
  /** How to look at one. */
  look?: (endpoint: TlsEndpoint) => Promise<Certificate[]>;
}

/**
 * Looks at everything once. What is not there, or may not be read, is left out and told of in `gaps`; only a
 * server that cannot be reached, or does not know who is asking, is thrown.
 *
 * @throws Fault `wire.request.*`, `kube.unauthorized`
 */
export async function readInventory(options: InventoryOptions): Promise<Inventory> {
  const { kube, clock, controlNamespace = 'linkerd', endpoints = [], look = servedChain } = options;
  const seen = certificatesSeen();
  const gaps: string[] = [];
  const reader = { kube, seen, gaps };
  const [secret, trustRoots, config] = await Promise.all([
    one<Secret>(reader, secrets, issuerSecretName, controlNamespace),
    one<ConfigMap>(reader, configMaps, trustRootsName, controlNamespace),
    one<ConfigMap>(reader, configMaps, linkerdConfigName, controlNamespace),
  ]);
  const linkerdConfig = readLinkerdConfig(config);
  const found = {
    takenAtMs: clock.now(),
    controlNamespace,
    trustRoots: readTrustRoots(trustRoots, seen),
    issuer: readIssuerSecret(secret, linkerdConfig, seen),
    certificateResources: await certificateResources(reader),
    issuerResources: await issuerResources(reader),
    bundles: await bundleResources(reader),
    endpoints: await Promise.all(endpoints.map((endpoint) => seenEndpoint(endpoint, look, seen))),
  };
  return { ...found, certificates: seen.all(), gaps };
}

interface Reader {
  kube: KubeClient;
  seen: CertificatesSeen;
  gaps: string[];
}

async function one<T extends KubeObject>(
  { kube, gaps }: Reader,
  resource: Resource,
  name: string,
  namespace: string,
): Promise<T | undefined> {
  try {
    return await kube.get<T>(resource, name, namespace);
  } catch (error) {
    gaps.push(`${resource.kind} ${namespace}/${name}: ${withheld(error)}`);
    return undefined;
  }
}

async function many<T extends KubeObject>(
  { kube, gaps }: Reader,
  resource: Resource,
  options?: ListOptions,
): Promise<T[]> {
  try {
    return (await kube.list<T>(resource, options)).items;
  } catch (error) {
    // A kind that the server does not have has no objects.
    if (!refusedFor(error, 'not-found')) gaps.push(`${resource.plural}: ${withheld(error)}`);
    return [];
  }
}

/** Why the server does not show something; anything but a refusal goes on up. */
function withheld(error: unknown): string {
  const goesOn =
    error instanceof Fault && error.code.startsWith('kube.') && !refusedFor(error, 'unauthorized');
  if (!goesOn) throw error;
  return describeError(error);
}

async function certificateResources(reader: Reader): Promise<CertificateResource[]> {
  const resources = await many<WithStatus>(reader, certificateKind);
  return Promise.all(
    resources.map(async ({ metadata: { name, namespace = '' }, spec = {}, status = {} }) => {
      const { secretName = '' } = spec as { secretName?: string };
      const { kind = 'Issuer', name: issuer = '' } = (spec.issuerRef ?? {}) as {
        kind?: string;
        name?: string;
      };
      const { ok, message } = conditionOf(status.conditions, 'Ready');
      const secret = await one<Secret>(reader, secrets, secretName, namespace);
      const [certificate] = entry(reader, secret, 'tls.crt');
      entry(reader, secret, 'ca.crt');
      return {
        namespace,
        name,
        secretName,
        issuerRef: `${kind} ${issuer}`,
        ready: ok,
        message,
        ...instantField('notAfter', status.notAfter),
        ...instantField('renewalTime', status.renewalTime),
        ...(certificate === undefined ? {} : { certificate }),
      };
    }),
  );
}

function entry({ seen, gaps }: Reader, secret: Secret | undefined, key: string): string[] {
  const data = secret?.data?.[key];
  if (!secret || data === undefined) return [];
  const { name, namespace = '' } = secret.metadata;
  const place = { kind: 'Secret', namespace, name, key } as const;
  const { anchors, problem } = certificatesAt(Buffer.from(data, 'base64').toString('utf8'), place, seen);
  if (problem !== undefined) gaps.push(`Secret ${namespace}/${name} ${key}: ${problem}`);
  return anchors;
}

async function issuerResources(reader: Reader): Promise<IssuerResource[]> {
  const found = await Promise.all(
    issuerKinds.map(async (resource) => ({ resource, objects: await many<WithStatus>(reader, resource) })),
  );
  return found.flatMap(({ resource: { kind }, objects }) =>
    objects.map(({ metadata: { name, namespace }, spec = {}, status = {} }) => {
      const { ok, message } = conditionOf(status.conditions, 'Ready');
      return {
        kind: kind as IssuerResource['kind'],
        ...(namespace === undefined ? {} : { namespace }),
        name,
        type: Object.keys(spec)[0] ?? '',
        ready: ok,
        message,
      };
    }),
  );
}

async function bundleResources(reader: Reader): Promise<BundleResource[]> {
  const resources = await many<WithStatus>(reader, bundleKind);
  if (resources.length === 0) return [];
  const targets = await many<ConfigMap>(reader, configMaps, { labelSelector: bundleLabel });
  const byBundle = Map.groupBy(targets, ({ metadata }) => metadata.labels?.[bundleLabel]);
  return resources.map(({ metadata: { name }, spec = {}, status = {} }) => {
    const { ok, message } = conditionOf(status.conditions, 'Synced');
    const { configMap } = (spec.target ?? {}) as { configMap?: { key?: string } };
    const key = configMap?.key ?? '';
    return {
      name,
      synced: ok,
      message,
      targets: (byBundle.get(name) ?? []).map(({ metadata, data = {} }) => {
        const { namespace = '' } = metadata;
        const place = { kind: 'ConfigMap', namespace, name: metadata.name, key } as const;
        return { namespace, certificates: certificatesAt(data[key] ?? '', place, reader.seen).anchors };
      }),
    };
  });
}

function conditionOf(conditions: readonly Condition[] = [], type: string) {
  const condition = conditions.find((candidate) => candidate.type === type);
  return { ok: condition?.status === 'True', message: condition?.message ?? '' };
}

function instantField<K extends string>(field: K, rfc3339: string | undefined): { [key in K]?: number } {
  const ms = Date.parse(rfc3339 ?? '');
  return (Number.isNaN(ms) ? {} : { [field]: ms }) as { [key in K]?: number };
}

async function seenEndpoint(
  endpoint: TlsEndpoint,
  look: (endpoint: TlsEndpoint) => Promise<Certificate[]>,
  seen: CertificatesSeen,
): Promise<SeenEndpoint> {
  const address = `${endpoint.host}:${endpoint.port}`;
  try {
    const chain = await look(endpoint);
    return {
      address,
      chain: chain.map((certificate) => seen.add(certificate, { kind: 'endpoint', address })),
    };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { address, chain: [], problem: describeError(error) };
  }
}
