import { Fault } from '../../base/fault.ts';
import type { Fingerprint } from '../../inventory/inventory.ts';
import { type KubeObject, type Resource, serviceAccounts } from '../../kube/resource.ts';
import type { Outcome, Step } from '../step.ts';
import { waitFor } from '../wait.ts';
import type { Workload, WorkloadEvent } from '../workloads.ts';
import type { World } from '../world.ts';
import { certificates, issuerSecret, meshNamespace } from './kubernetes.ts';
import { inventoryOf } from './report.ts';

/** `web` dials `voting`, as in Linkerd's emojivoto example. */
const server = 'voting';
const client = 'web';

const identityOf = (serviceAccount: string) =>
  `${serviceAccount}.${meshNamespace}.serviceaccount.identity.linkerd.cluster.local`;

/** Two meshed processes, and two that must not get in. */
export const meshSteps: readonly Step<World>[] = [
  {
    id: 'workloads',
    title: 'certify two workloads',
    async run(world) {
      await ensureServiceAccounts(world, [server, client]);
      const serving = await startWorkload(world, server, ['--listen', '127.0.0.1:0']);
      const { address } = await serving.event(({ event }) => event === 'listening');
      const dialling = await startWorkload(world, client, [
        ...['--connect', String(address), '--peer', identityOf(server)],
      ]);
      const certified = await Promise.all(
        [serving, dialling].map((workload) => within(workload, 'certified')),
      );
      const identities = certified.map(({ identity }) => String(identity));
      return {
        state: 'done',
        saw: identities.join(', '),
        details: { identities, pids: [serving.pid, dialling.pid] },
      };
    },
  },
  {
    id: 'mutual-tls',
    title: 'speak mutual TLS between them',
    async run({ workloads }) {
      const exchanged = await within(workloads.named(client)!, 'exchanged');
      if (exchanged.client !== identityOf(client) || exchanged.server !== identityOf(server)) {
        throw new Fault(`the workloads see ${String(exchanged.client)} and ${String(exchanged.server)}`, {
          code: 'app.mesh.identity',
          blame: 'capstan',
        });
      }
      return {
        state: 'done',
        saw: `${server} sees ${exchanged.client}; ${client} sees ${exchanged.server}; ${String(exchanged.protocol)}`,
        details: { client: exchanged.client, server: exchanged.server, protocol: exchanged.protocol },
      };
    },
  },
  { id: 'refusals', title: 'refuse whoever has no place in the mesh', run: refusals },
];

/** Only with a fast clock: waits until everything has been renewed once, and nothing failed meanwhile. */
export const renewalStep: Step<World> = {
  id: 'renewal',
  title: 'renew the issuer and the leaves under traffic',
  async run(world) {
    const { kube, workloads, signal } = world;
    const both = [workloads.named(server)!, workloads.named(client)!];
    type Certificate = KubeObject & { status?: { revision?: number; notAfter?: string } };
    const before = (await kube.get<Certificate>(certificates, issuerSecret.name, issuerSecret.namespace))!;
    const revision = (before.status?.revision ?? 1) + 1;
    const { issuer: issuerBefore } = await inventoryOf(world);
    const renewed = await waitFor<Certificate>(
      kube,
      certificates,
      { ...issuerSecret, signal, timeoutMs: 600_000 },
      ({ status }) => (status?.revision ?? 0) >= revision,
    );
    // A leaf asked for in the moment before identity saw the new issuer is still the old one's: then its next is not.
    do await Promise.all(both.map((workload) => reach(workload, 'renewed', workload.count('renewed') + 1)));
    while (await servesLeafOf(issuerBefore.certificate, world));
    const failed = both.reduce((sum, workload) => sum + workload.count('failed'), 0);
    if (failed > 0) {
      throw new Fault(`${failed} exchanges between the workloads failed during the renewal`, {
        code: 'app.mesh.renewal',
        blame: 'capstan',
      });
    }
    const exchanged = workloads.named(client)!.count('exchanged');
    return {
      state: 'done',
      saw: `issuer at revision ${revision} until ${renewed.status?.notAfter}; both leaves renewed; ${exchanged} exchanges, none failed`,
      details: { revision, exchanged, failed },
    };
  },
};

/** Whether the leaf that the server really presents comes with the certificate of that issuer. */
async function servesLeafOf(issuer: Fingerprint | undefined, world: World): Promise<boolean> {
  const { endpoints } = await inventoryOf(world);
  return endpoints[0]!.chain.some((fingerprint) => fingerprint === issuer);
}

async function ensureServiceAccounts({ kube }: World, accounts: readonly string[]): Promise<void> {
  await Promise.all(
    accounts.map((name) =>
      kube.apply(
        serviceAccounts satisfies Resource,
        { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace: meshNamespace } },
        { manager: 'capstan-up' },
      ),
    ),
  );
}

async function startWorkload(world: World, name: string, args: readonly string[]): Promise<Workload> {
  return await world.workloads.start({ name, namespace: meshNamespace, args }, world.cluster, world.kube);
}

async function refusals(world: World): Promise<Outcome> {
  const { address } = await world.workloads.named(server)!.event(({ event }) => event === 'listening');
  const dial = ['--connect', String(address), '--peer', identityOf(server)];
  const strangers = {
    'without a certificate': { name: 'stranger', args: ['--no-certificate'] },
    'from another root': { name: 'impostor', args: ['--foreign-root'] },
  };
  await ensureServiceAccounts(
    world,
    Object.values(strangers).map(({ name }) => name),
  );
  const refused = await Promise.all(
    Object.entries(strangers).map(async ([how, { name, args }]) => {
      const stranger = await startWorkload(world, name, [...dial, ...args]);
      const met = await stranger.event(({ event }) => event === 'refused' || event === 'exchanged');
      if (met.event !== 'refused') {
        throw new Fault(`a process ${how} was let in`, { code: 'app.mesh.open', blame: 'capstan' });
      }
      await world.workloads.stop(name);
      return `${how}: ${String(met.reason)}`;
    }),
  );
  return { state: 'done', saw: refused.join('; '), details: { refused } };
}

const patienceMs = 30_000;

/** The first such event; a fault naming the workload and what it said last where none comes in time. */
async function within(workload: Workload, event: string): Promise<WorkloadEvent> {
  return await intime(
    workload,
    event,
    workload.event((told) => told.event === event),
  );
}

async function reach(workload: Workload, event: string, count: number): Promise<WorkloadEvent> {
  const there = workload.event(() => workload.count(event) >= count);
  return await intime(workload, event, there, 20 * patienceMs);
}

async function intime<T>(
  workload: Workload,
  event: string,
  awaited: Promise<T>,
  timeoutMs = patienceMs,
): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    const timer = AbortSignal.timeout(timeoutMs);
    timer.addEventListener('abort', () => {
      const last = workload.events().at(-1);
      reject(
        new Fault(
          `${workload.name} was not ${event} within ${timeoutMs / 1000} s; it last said ${JSON.stringify(last)}`,
          {
            code: 'app.mesh.late',
            blame: 'capstan',
          },
        ),
      );
    });
  });
  return await Promise.race([awaited, late]);
}
