import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { conditionsOf, waitFor } from '../src/app/wait.ts';
import { kubeClient } from '../src/kube/http-kube-client.ts';
import { readKubeconfig } from '../src/kube/kubeconfig.ts';
import { type KubeObject, namespaces, type Resource, type Secret, secrets } from '../src/kube/resource.ts';
import { type Running, start, temporaryFolder } from './support/capstan.ts';

const clusterIssuers: Resource = {
  group: 'cert-manager.io',
  version: 'v1',
  kind: 'ClusterIssuer',
  plural: 'clusterissuers',
  namespaced: false,
};

const folder = temporaryFolder();
const running: Running[] = [];

afterAll(async () => {
  for (const { child } of running) child.kill('SIGTERM');
  await Promise.all(running.map(({ finished }) => finished));
  folder.remove();
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test('a CA that is down shows as VaultError, is Ready once it is up, and again after another outage', async () => {
  const kubeconfig = join(folder.path, 'kubeconfig');
  // A minute of the cluster passes in a second, so that its next look at the CA is not far.
  const fast = ['--clock-origin', String(Date.now()), '--clock-speed', '60'];
  const cluster = start(['cluster', '--listen', '127.0.0.1:0', '--kubeconfig', kubeconfig, ...fast]);
  running.push(cluster);
  await cluster.printed(/"event":"ready"/);
  const kube = kubeClient(readKubeconfig(readFileSync(kubeconfig, 'utf8')), { userAgent: 'test' });
  const address = `127.0.0.1:${await freePort()}`;
  const startCa = async () => {
    const ca = start(['vault', 'server', '-dev', '-dev-root-token-id=t', `-dev-listen-address=${address}`]);
    running.push(ca);
    await ca.printed(/server started/);
    return ca;
  };
  await kube.create(namespaces, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'cert-manager' } });
  await kube.create<Secret>(secrets, {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'token', namespace: 'cert-manager' },
    data: { token: Buffer.from('t').toString('base64') },
  });
  const issuer = {
    apiVersion: 'cert-manager.io/v1',
    kind: 'ClusterIssuer',
    metadata: { name: 'ca' },
    spec: {
      vault: {
        server: `http://${address}`,
        path: 'pki/root/sign-intermediate',
        auth: { tokenSecretRef: { name: 'token', key: 'token' } },
      },
    },
  };
  await kube.create(clusterIssuers, issuer);
  const says = (words: string) =>
    waitFor<KubeObject>(
      kube,
      clusterIssuers,
      { name: 'ca', signal: new AbortController().signal, timeoutMs: 50_000 },
      (object) => conditionsOf(object).includes(words),
    );

  await says('Ready=False (VaultError)');
  const ca = await startCa();
  await says('Ready=True (VaultVerified): Vault verified');
  ca.child.kill('SIGKILL');
  await ca.finished;
  await says('Ready=False (VaultError)');
  await startCa();
  expect(conditionsOf(await says('Ready=True (VaultVerified)'))).toContain('Vault verified');
  kube.close();
}, 240_000);
