import { type Clock, sleep } from '../base/clock.ts';
import { secondMs } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';
import type { KubeClient } from './kube-client.ts';
import type { Condition, KubeObject, Resource } from './resource.ts';

export const customResourceDefinitions: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};

interface Definition extends KubeObject {
  status?: { conditions?: Condition[] };
}

const pollMs = 200;
const patienceMs = 60 * secondMs;

/**
 * Applies CustomResourceDefinitions and waits until the server serves them.
 *
 * @throws Fault `kube.definition.late` where it does not within a minute, and what the client throws.
 */
export async function installDefinitions(
  client: KubeClient,
  definitions: readonly KubeObject[],
  { manager, clock, signal }: { manager: string; clock: Clock; signal: AbortSignal },
): Promise<void> {
  await Promise.all(
    definitions.map(async (definition) => {
      const { name } = definition.metadata;
      let stored = await client.apply<Definition>(customResourceDefinitions, { ...definition }, { manager });
      const deadlineMs = clock.now() + patienceMs;
      while (!isEstablished(stored) && !signal.aborted) {
        if (clock.now() >= deadlineMs) throw late(name, stored);
        await sleep(clock, pollMs, signal);
        stored = (await client.get<Definition>(customResourceDefinitions, name)) ?? stored;
      }
    }),
  );
}

function isEstablished({ status }: Definition): boolean {
  return status?.conditions?.some(({ type, status }) => type === 'Established' && status === 'True') ?? false;
}

function late(name: string, { status }: Definition): Fault {
  const refusal = status?.conditions?.find(
    ({ type, status }) => type === 'NamesAccepted' && status === 'False',
  );
  return new Fault(`the definition ${name} is not served${refusal?.message ? `: ${refusal.message}` : ''}`, {
    code: 'kube.definition.late',
    blame: 'peer',
  });
}
