import { Fault } from '../../base/fault.ts';
import { reportText } from '../../check/render.ts';
import { checkReport } from '../../check/report.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import { readInventory } from '../../inventory/read-inventory.ts';
import { renderTrees } from '../../inventory/render-tree.ts';
import { parseListenAddress } from '../../wire/http-server.ts';
import type { Step } from '../step.ts';
import type { World } from '../world.ts';

/**
 * What there is now: the cluster's objects, and what the servers among the workloads really present.
 *
 * @throws Fault `wire.request.failed` where one of them cannot be reached, which a restart under way explains
 */
export async function inventoryOf({ kube, clock, cluster, workloads }: World): Promise<Inventory> {
  const served = workloads.all().flatMap((workload) => {
    const listening = workload.events().find(({ event }) => event === 'listening');
    return listening ? [String(listening.address)] : [];
  });
  const endpoints = [...served, cluster.identity].map(parseListenAddress);
  const inventory = await readInventory({ kube, clock, endpoints });
  const away = inventory.endpoints.find(({ problem }) => problem !== undefined);
  if (!away) return inventory;
  throw new Fault(`${away.address} shows no certificate: ${away.problem}`, {
    code: 'wire.request.failed',
    blame: 'peer',
  });
}

export const reportSteps: readonly Step<World>[] = [
  {
    id: 'findings',
    title: 'check the certificates as linkerd check does',
    async run(world) {
      const inventory = await inventoryOf(world);
      const report = checkReport(inventory, world.clock.now());
      const { findings, success } = report;
      const count = (result: string) => findings.filter((finding) => finding.result === result).length;
      const saw = `${count('success')} fine, ${count('warning')} warnings, ${count('error')} errors`;
      const text = reportText(report);
      if (!success) {
        throw new Fault(`${saw}:\n${text}`, { code: 'app.findings', blame: 'operator' });
      }
      return { state: 'done', saw, text, details: { findings } };
    },
  },
  {
    id: 'chain',
    title: 'show the chain',
    async run(world) {
      const inventory = await inventoryOf(world);
      const text = renderTrees(inventory, world.clock.now());
      const { length } = inventory.certificates;
      return { state: 'done', saw: `${length} certificates seen`, text, details: { certificates: length } };
    },
  },
];
