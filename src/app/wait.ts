import { Fault } from '../base/fault.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { Condition, KubeObject, Resource } from '../kube/resource.ts';

export interface WaitOptions {
  name: string;
  namespace?: string;
  signal: AbortSignal;
  /** In real time, which is what a person waits in. */
  timeoutMs?: number;
}

/**
 * The object once `is` holds for it, watching it until then.
 *
 * @throws Fault `app.wait.timeout`, telling what the object's conditions say meanwhile.
 */
export async function waitFor<T extends KubeObject>(
  kube: KubeClient,
  resource: Resource,
  { name, namespace, signal, timeoutMs = 60_000 }: WaitOptions,
  is: (object: T) => boolean,
): Promise<T> {
  const late = AbortSignal.timeout(timeoutMs);
  const either = AbortSignal.any([signal, late]);
  const one = { ...(namespace === undefined ? {} : { namespace }), fieldSelector: `metadata.name=${name}` };
  let last: T | undefined;
  while (!either.aborted) {
    const { items, resourceVersion } = await kube.list<T>(resource, one);
    last = items[0];
    if (last && is(last)) return last;
    try {
      for await (const event of kube.watch<T>(resource, { ...one, resourceVersion, signal: either })) {
        if (event.type === 'BOOKMARK') continue;
        last = event.type === 'DELETED' ? undefined : event.object;
        if (last && is(last)) return last;
      }
    } catch (error) {
      if (!either.aborted) throw error;
    }
  }
  const where = `${resource.kind} ${namespace ? `${namespace}/` : ''}${name}`;
  const says = last ? conditionsOf(last) : 'it does not exist';
  throw new Fault(`${where} was not ready within ${timeoutMs / 1000} s: ${says}`, {
    code: 'app.wait.timeout',
    blame: 'peer',
  });
}

/** `Ready=False (VaultError): connection refused`, for every condition. */
export function conditionsOf(object: KubeObject): string {
  const { status } = object as { status?: { conditions?: Condition[] } };
  const words = status?.conditions?.map(
    ({ type, status, reason, message }) => `${type}=${status} (${reason ?? '-'}): ${message ?? ''}`,
  );
  return words?.join('; ') || 'it has no conditions yet';
}

export function conditionIs(object: KubeObject, type: string, status: Condition['status'] = 'True'): boolean {
  const { conditions } = (object as { status?: { conditions?: Condition[] } }).status ?? {};
  return conditions?.some((condition) => condition.type === type && condition.status === status) ?? false;
}
