import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { kubeClient } from '../src/kube/http-kube-client.ts';
import { readKubeconfig } from '../src/kube/kubeconfig.ts';
import { type ConfigMap, configMaps } from '../src/kube/resource.ts';
import { start, temporaryFolder } from './support/capstan.ts';

const folder = temporaryFolder();
afterAll(folder.remove);

test('capstan apiserver killed with -9 in the middle of writes loses nothing that it acknowledged', async () => {
  const kubeconfig = join(folder.path, 'kubeconfig');
  const args = [
    'apiserver',
    '--listen',
    '127.0.0.1:0',
    '--data',
    join(folder.path, 'data'),
    '--kubeconfig',
    kubeconfig,
  ];
  const serving = /^Kubernetes API on (https:\S+)$/m;
  const clientNow = () => kubeClient(readKubeconfig(readFileSync(kubeconfig, 'utf8')), { userAgent: 'test' });

  const first = start(args);
  await first.printed(serving);
  expect(statSync(kubeconfig).mode & 0o777).toBe(0o600);
  const writer = clientNow();
  const acknowledged: ConfigMap[] = [];
  const writers = Array.from({ length: 8 }, async (_, worker) => {
    for (let n = 0; ; n++) {
      const body: ConfigMap = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name: `written-${worker}-${n}`, namespace: 'default' },
        data: { n: String(n) },
      };
      try {
        acknowledged.push(await writer.create<ConfigMap>(configMaps, body));
      } catch {
        return;
      }
      if (acknowledged.length === 100) process.kill(first.pid, 'SIGKILL');
    }
  });
  await Promise.all(writers);
  writer.close();
  await first.finished;
  expect(acknowledged.length).toBeGreaterThanOrEqual(100);

  const second = start(args);
  await second.printed(serving);
  const reader = clientNow();
  const { items } = await reader.list<ConfigMap>(configMaps, { namespace: 'default' });
  const found = new Map(items.map((item) => [item.metadata.name, item]));
  for (const object of acknowledged) {
    expect(found.get(object.metadata.name)).toMatchObject({ metadata: object.metadata, data: object.data });
  }
  const later = await reader.create<ConfigMap>(configMaps, {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'later', namespace: 'default' },
  });
  const newest = Math.max(...acknowledged.map(({ metadata }) => Number(metadata.resourceVersion)));
  expect(Number(later.metadata.resourceVersion)).toBeGreaterThan(newest);
  reader.close();
  process.kill(second.pid, 'SIGTERM');
  expect((await second.finished).status).toBe(0);
});
