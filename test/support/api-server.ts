import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, startApiServer } from '../../src/apiserver/server.ts';
import { systemClock } from '../../src/base/clock.ts';
import { systemEntropy } from '../../src/base/entropy.ts';
import { silentLog } from '../../src/base/log.ts';
import { kubeClient } from '../../src/kube/http-kube-client.ts';
import type { KubeClient } from '../../src/kube/kube-client.ts';
import { readKubeconfig } from '../../src/kube/kubeconfig.ts';
import { memoryStore } from '../../src/store/memory.ts';

export interface TestCluster {
  api: ApiServer;
  /** Of the administrator. */
  kubeconfig: string;
  /** A folder for programs that work with the cluster; holds that kubeconfig as `kubeconfig`. Gone once closed. */
  home: string;
  /** A client with the administrator's rights. */
  client(userAgent: string): KubeClient;
  close(): Promise<void>;
}

/** The embedded API server on a free port, its state in memory. */
export async function testCluster(): Promise<TestCluster> {
  const api = await startApiServer({
    store: memoryStore(),
    clock: systemClock,
    entropy: systemEntropy,
    log: silentLog,
    listen: { host: '127.0.0.1', port: 0 },
  });
  const kubeconfig = await api.kubeconfig('kubernetes-admin', ['system:masters']);
  const home = mkdtempSync(join(tmpdir(), 'capstan-cluster-'));
  writeFileSync(join(home, 'kubeconfig'), kubeconfig, { mode: 0o600 });
  const clients: KubeClient[] = [];
  return {
    api,
    kubeconfig,
    home,
    client(userAgent) {
      const client = kubeClient(readKubeconfig(kubeconfig), { userAgent });
      clients.push(client);
      return client;
    },
    async close() {
      for (const client of clients) client.close();
      await api.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Asks `ask` every few milliseconds until it answers something, for at most `patienceMs`. */
export async function eventually<T>(ask: () => Promise<T | undefined>, patienceMs = 20_000): Promise<T> {
  const endMs = Date.now() + patienceMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > endMs) throw new Error(`not so within ${patienceMs} ms: ${ask.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
