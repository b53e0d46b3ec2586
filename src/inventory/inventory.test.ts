import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { expect, test } from 'vitest';
import { type Credential, issuance } from '../../test/support/certificates.ts';
import { dayMs, hourMs } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';
import { ManualClock } from '../base/manual-clock.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { KubeObject, Resource } from '../kube/resource.ts';
import { readInventory } from './read-inventory.ts';
import { relative, renderTrees } from './render-tree.ts';
import { servedChain } from './served.ts';

const epochMs = Date.UTC(2026, 0, 1);
const issue = issuance('inventory', epochMs);
const root = await issue({ commonName: 'root.linkerd.cluster.local' });
const issuer = await issue({
  commonName: 'identity.linkerd.cluster.local',
  by: root,
  ca: true,
  lifetimeMs: 48 * hourMs,
});
const leafName = 'web.app.serviceaccount.identity.linkerd.cluster.local';
const leaf = await issue({ commonName: leafName, by: issuer, lifetimeMs: dayMs, dnsNames: [leafName] });

/** A client of a server that holds `objects`, and refuses the kinds in `refused`. */
function reading(objects: readonly KubeObject[], refused: Record<string, string> = {}): KubeClient {
  const check = ({ kind, plural }: Resource) => {
    const reason = refused[kind];
    if (reason) throw new Fault(`${plural} are ${reason}`, { code: `kube.${reason}`, blame: 'operator' });
  };
  return {
    async get(resource: Resource, name: string, namespace?: string) {
      check(resource);
      return objects.find(
        ({ kind, metadata }) =>
          kind === resource.kind && metadata.name === name && metadata.namespace === namespace,
      );
    },
    async list(resource: Resource, { labelSelector }: { labelSelector?: string } = {}) {
      check(resource);
      const items = objects.filter(
        ({ kind, metadata }) =>
          kind === resource.kind && (!labelSelector || labelSelector in (metadata.labels ?? {})),
      );
      return { items, resourceVersion: '1' };
    },
  } as unknown as KubeClient;
}

const object = (kind: string, name: string, namespace: string | undefined, more: object): KubeObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name, ...(namespace ? { namespace } : {}) },
  ...more,
});

const tlsSecret = (name: string, namespace: string, credential: Credential, ca: string) =>
  object('Secret', name, namespace, {
    type: 'kubernetes.io/tls',
    data: { 'tls.crt': btoa(credential.pem), 'tls.key': btoa(credential.keyPem), 'ca.crt': btoa(ca) },
  });

const trustRoots = (namespace: string): KubeObject => {
  const target = object('ConfigMap', 'linkerd-identity-trust-roots', namespace, {
    data: { 'ca-bundle.crt': root.pem.trim() },
  });
  target.metadata.labels = { 'trust.cert-manager.io/bundle': 'linkerd-identity-trust-roots' };
  return target;
};

const mesh = [
  tlsSecret('linkerd-identity-issuer', 'linkerd', issuer, root.pem),
  trustRoots('linkerd'),
  object('Certificate', 'linkerd-identity-issuer', 'linkerd', {
    spec: {
      secretName: 'linkerd-identity-issuer',
      issuerRef: { kind: 'ClusterIssuer', name: 'vault-issuer' },
    },
    status: {
      conditions: [
        { type: 'Ready', status: 'True', message: 'Certificate is up to date and has not expired' },
      ],
      notAfter: '2026-01-03T00:00:00Z',
      renewalTime: '2026-01-01T23:00:00Z',
    },
  }),
  object('ClusterIssuer', 'vault-issuer', undefined, {
    spec: { vault: { server: 'http://127.0.0.1:8200' } },
    status: { conditions: [{ type: 'Ready', status: 'True', message: 'Vault verified' }] },
  }),
  object('Bundle', 'linkerd-identity-trust-roots', undefined, {
    spec: { target: { configMap: { key: 'ca-bundle.crt' } } },
    status: { conditions: [{ type: 'Synced', status: 'True', message: 'Successfully synced' }] },
  }),
];

const at = (kube: KubeClient) => ({ kube, clock: new ManualClock(epochMs + hourMs) });

/** The web server's chain, as if looked at. */
const look = async () => [leaf.certificate, issuer.certificate];
const endpoints = [{ host: '10.0.0.7', port: 4143 }];

test('everything of the mesh is found and linked', async () => {
  const inventory = await readInventory({ ...at(reading(mesh)), endpoints, look });
  expect(inventory.gaps).toEqual([]);
  const fingerprints = new Map(
    inventory.certificates.map(({ subject, fingerprint }) => [subject, fingerprint]),
  );
  const of = (credential: Credential) =>
    fingerprints.get(`CN=${credential.certificate.subject.rdns[0]![0]!.value}`);
  expect(inventory.certificates.map(({ subject, signedBy, isCa }) => [subject, signedBy, isCa])).toEqual([
    ['CN=root.linkerd.cluster.local', [], true],
    ['CN=identity.linkerd.cluster.local', [of(root)], true],
    [`CN=${leafName}`, [of(issuer)], false],
  ]);
  expect(inventory).toMatchObject({
    issuer: { scheme: 'kubernetes.io/tls', certificate: of(issuer), anchors: [of(root)] },
    trustRoots: { present: true, anchors: [of(root)] },
    issuerResources: [{ kind: 'ClusterIssuer', type: 'vault', ready: true, message: 'Vault verified' }],
    bundles: [{ synced: true, targets: [{ namespace: 'linkerd', certificates: [of(root)] }] }],
    certificateResources: [
      {
        issuerRef: 'ClusterIssuer vault-issuer',
        certificate: of(issuer),
        renewalTime: epochMs + 23 * hourMs,
      },
    ],
    endpoints: [{ address: '10.0.0.7:4143', chain: [of(leaf), of(issuer)] }],
  });
  // Plain data, and no private key in it.
  expect(JSON.parse(JSON.stringify(inventory))).toEqual(inventory);
  expect(JSON.stringify(inventory)).not.toContain('PRIVATE KEY');
});

test('the tree shows who signed what, until when, and where it was seen', async () => {
  const spread = ['a', 'b', 'c'].map(trustRoots);
  const inventory = await readInventory({ ...at(reading([...mesh, ...spread])), endpoints, look });
  expect(
    renderTrees(inventory, epochMs + hourMs),
  ).toBe(`root.linkerd.cluster.local  CA  expires 2026-04-01T00:00:00Z (in 89 days)
│ ConfigMap linkerd-identity-trust-roots ca-bundle.crt in 4 namespaces
│ Secret linkerd/linkerd-identity-issuer ca.crt (Certificate linkerd-identity-issuer, from ClusterIssuer vault-issuer)
└── identity.linkerd.cluster.local  CA  expires 2026-01-03T00:00:00Z (in 47 hours)
    │ Secret linkerd/linkerd-identity-issuer tls.crt (Certificate linkerd-identity-issuer, from ClusterIssuer vault-issuer)
    │ served at 10.0.0.7:4143
    └── ${leafName}  expires 2026-01-02T00:00:00Z (in 23 hours)
          served at 10.0.0.7:4143
`);
});

test('what has expired, is not yet valid, or hangs in the air is said to', async () => {
  const orphan = await issue({ commonName: 'orphan', by: await issue({ commonName: 'unseen' }) });
  const future = await issue({ commonName: 'future', notBefore: epochMs + 30 * dayMs });
  const objects = [tlsSecret('linkerd-identity-issuer', 'linkerd', orphan, future.pem)];
  const inventory = await readInventory(at(reading(objects)));
  expect(renderTrees(inventory, epochMs).split('\n')).toEqual([
    'orphan  expires 2026-04-01T00:00:00Z (in 90 days)',
    '  Secret linkerd/linkerd-identity-issuer tls.crt',
    '  signed by a certificate that was not seen',
    'future  CA  not valid before 2026-01-31T00:00:00Z (in 30 days)',
    '  Secret linkerd/linkerd-identity-issuer ca.crt',
    '',
  ]);
  expect(renderTrees(inventory, epochMs + 93 * dayMs)).toContain('EXPIRED 2026-04-01T00:00:00Z (3 days ago)');
});

test('kinds that the server lacks are no gap; what it withholds is', async () => {
  const inventory = await readInventory(
    at(
      reading([trustRoots('linkerd')], {
        Certificate: 'not-found',
        Secret: 'forbidden',
        Bundle: 'not-found',
      }),
    ),
  );
  expect(inventory.gaps).toEqual(['Secret linkerd/linkerd-identity-issuer: secrets are forbidden']);
  expect(inventory.issuer.problem).toEqual({ kind: 'secret absent' });
});

test('a server that does not know who asks is a fault', async () => {
  await expect(readInventory(at(reading([], { Secret: 'unauthorized' })))).rejects.toMatchObject({
    code: 'kube.unauthorized',
  });
});

test('an endpoint that does not answer is told of in its place', async () => {
  const refuse = () => Promise.reject(new Fault('refused', { code: 'inventory.endpoint', blame: 'peer' }));
  const inventory = await readInventory({ ...at(reading(mesh)), endpoints, look: refuse });
  expect(inventory.endpoints).toEqual([{ address: '10.0.0.7:4143', chain: [], problem: 'refused' }]);
});

test('the chain of a real TLS server is seen, expired or not, and nothing added to it', async () => {
  const server = tls.createServer({ key: leaf.keyPem, cert: leaf.pem + issuer.pem });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;
  const chain = await servedChain({ host: '127.0.0.1', port, serverName: leafName });
  expect(chain.map(({ der }) => der)).toEqual([leaf.certificate.der, issuer.certificate.der]);
  await new Promise((closed) => server.close(closed));
  await expect(servedChain({ host: '127.0.0.1', port })).rejects.toMatchObject({
    code: 'inventory.endpoint',
  });
});

test.each([
  [0, 'now'],
  [1_000, 'in 1 second'],
  [-90_000, '90 seconds ago'],
  [2 * hourMs, 'in 2 hours'],
  [47.9 * hourMs, 'in 47 hours'],
  [48 * hourMs, 'in 2 days'],
  [-89.9 * dayMs, '89 days ago'],
])('%i ms from now is %s', (distanceMs, text) => {
  expect(relative(epochMs + distanceMs, epochMs)).toBe(text);
});
