import { isDeepStrictEqual } from 'node:util';
import { Fault } from '../../base/fault.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import {
  apiVersion,
  type ConfigMap,
  configMaps,
  type KubeObject,
  namespaces,
  type Resource,
  type Secret,
  secrets,
} from '../../kube/resource.ts';
import { readCertificates } from '../../x509/certificate.ts';
import type { Outcome, Step } from '../step.ts';
import { conditionIs, conditionsOf, waitFor } from '../wait.ts';
import type { World } from '../world.ts';
import { names } from './ca.ts';

const certManager = { group: 'cert-manager.io', version: 'v1' };
export const clusterIssuers: Resource = {
  ...certManager,
  kind: 'ClusterIssuer',
  plural: 'clusterissuers',
  namespaced: false,
};
export const certificates: Resource = {
  ...certManager,
  kind: 'Certificate',
  plural: 'certificates',
  namespaced: true,
};
export const bundles: Resource = {
  group: 'trust.cert-manager.io',
  version: 'v1alpha1',
  kind: 'Bundle',
  plural: 'bundles',
  namespaced: false,
};

/** The field manager that the main job's objects belong to. */
const manager = 'capstan-up';

export const meshNamespace = 'emojivoto';
export const issuerSecret = { name: 'linkerd-identity-issuer', namespace: 'linkerd' };
export const trustRoots = {
  name: 'linkerd-identity-trust-roots',
  namespace: 'linkerd',
  key: 'ca-bundle.crt',
};

interface Applied {
  state: Outcome['state'];
  object: KubeObject;
}

/** The cluster's half of the tutorial, through the Kubernetes API. */
export const kubernetesSteps: readonly Step<World>[] = [
  {
    id: 'namespaces',
    title: 'create the namespaces',
    async run({ kube }) {
      const wanted = ['cert-manager', 'linkerd', meshNamespace];
      const states = await Promise.all(
        wanted.map((name) => ensure(kube, namespaces, { metadata: { name } })),
      );
      return { state: summary(states), saw: wanted.join(', ') };
    },
  },
  {
    id: 'token-secret',
    title: "keep cert-manager's token in a Secret",
    async run({ kube, issuerToken }) {
      const { name, namespace, key } = names.tokenSecret;
      const token = issuerToken!.reveal();
      const { state } = await ensure(kube, secrets, {
        metadata: { name, namespace },
        type: 'Opaque',
        data: { [key]: Buffer.from(token).toString('base64') },
      });
      return { state, saw: `${namespace}/${name}, key ${key}: ${token.length} bytes` };
    },
  },
  {
    id: 'cluster-issuer',
    title: 'point cert-manager at the CA',
    async run({ kube, ca, signal }) {
      const { name: secretName, key } = names.tokenSecret;
      const { state } = await ensure(kube, clusterIssuers, {
        metadata: { name: 'vault-issuer' },
        spec: {
          vault: {
            path: `${names.mount}/root/sign-intermediate`,
            server: ca.address,
            auth: { tokenSecretRef: { name: secretName, key } },
          },
        },
      });
      const issuer = await waitFor(kube, clusterIssuers, { name: 'vault-issuer', signal }, isReady);
      return { state, saw: conditionsOf(issuer) };
    },
  },
  { id: 'identity-issuer', title: "issue the mesh's identity issuer", run: identityIssuer },
  { id: 'bundle', title: 'publish the trust anchor to the mesh', run: publishAnchor },
];

async function identityIssuer({ kube, signal }: World): Promise<Outcome> {
  const { state } = await ensure(kube, certificates, {
    metadata: issuerSecret,
    spec: {
      secretName: issuerSecret.name,
      duration: '48h',
      renewBefore: '25h',
      issuerRef: { name: 'vault-issuer', kind: 'ClusterIssuer' },
      commonName: 'identity.linkerd.cluster.local',
      dnsNames: ['identity.linkerd.cluster.local'],
      isCA: true,
      privateKey: { algorithm: 'ECDSA' },
      usages: ['cert sign', 'crl sign', 'server auth', 'client auth'],
    },
  });
  const ready = await waitFor<KubeObject & { status?: Record<string, unknown> }>(
    kube,
    certificates,
    { ...issuerSecret, signal },
    isReady,
  );
  const secret = await kube.get<Secret>(secrets, issuerSecret.name, issuerSecret.namespace);
  const keys = Object.keys(secret?.data ?? {}).toSorted();
  if (!isDeepStrictEqual(keys, ['ca.crt', 'tls.crt', 'tls.key'])) {
    throw new Fault(`the Secret ${issuerSecret.name} holds ${keys.join(', ') || 'nothing'}`, {
      code: 'app.issuer.secret',
      blame: 'peer',
    });
  }
  const { notAfter, renewalTime } = ready.status ?? {};
  return {
    state,
    saw: `until ${String(notAfter)}, renewed at ${String(renewalTime)}; Secret holds ${keys.join(', ')}`,
    details: { notAfter, renewalTime, keys },
  };
}

async function publishAnchor(world: World): Promise<Outcome> {
  const { kube, signal } = world;
  const { state } = await ensure(kube, bundles, {
    metadata: { name: trustRoots.name },
    spec: {
      sources: [{ secret: { name: issuerSecret.name, key: 'ca.crt' } }],
      target: { configMap: { key: trustRoots.key } },
    },
  });
  const bundle = await waitFor(kube, bundles, { name: trustRoots.name, signal }, (object) =>
    conditionIs(object, 'Synced'),
  );
  const roots = await waitFor<ConfigMap>(
    kube,
    configMaps,
    { name: trustRoots.name, namespace: trustRoots.namespace, signal },
    (map) => map.data?.[trustRoots.key] !== undefined,
  );
  const root = readCertificates(world.root!)[0]!;
  const published = readCertificates(roots.data![trustRoots.key]!);
  if (!published.some((certificate) => certificate.der.equals(root.der))) {
    throw new Fault(`the ConfigMap ${trustRoots.name} does not hold the trust anchor`, {
      code: 'app.bundle.content',
      blame: 'peer',
    });
  }
  return {
    state,
    saw: `${conditionsOf(bundle)}; ConfigMap ${trustRoots.namespace}/${trustRoots.name} holds the root`,
  };
}

const isReady = (object: KubeObject) => conditionIs(object, 'Ready');

/** Applies an object, telling whether that changed anything. */
async function ensure(
  kube: KubeClient,
  resource: Resource,
  content: { metadata: { name: string; namespace?: string } } & Record<string, unknown>,
): Promise<Applied> {
  const before = await kube.get(resource, content.metadata.name, content.metadata.namespace);
  const object = await kube.apply(
    resource,
    { apiVersion: apiVersion(resource), kind: resource.kind, ...content },
    { manager },
  );
  const same = before?.metadata.resourceVersion === object.metadata.resourceVersion;
  return { state: same ? 'found' : 'done', object };
}

function summary(applied: readonly Applied[]): Outcome['state'] {
  return applied.every(({ state }) => state === 'found') ? 'found' : 'done';
}
