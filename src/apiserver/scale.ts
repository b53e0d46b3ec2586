import type { ApiObject, StoredObject } from './api-object.ts';
import { type View, viewObject } from './object-view.ts';
import { fieldText } from './selectors.ts';

/** Where a kind keeps what its `scale` subresource shows. */
export interface ScalePaths {
  specReplicasPath: string;
  statusReplicasPath: string;
  labelSelectorPath?: string;
}

const workloadPaths: ScalePaths = {
  specReplicasPath: 'spec.replicas',
  statusReplicasPath: 'status.replicas',
};

function pathsOf({ version }: View): ScalePaths {
  return version.scale ?? workloadPaths;
}

/** autoscaling/v1 Scale of an object that can be scaled. */
export function scaleOf(view: View, stored: StoredObject): ApiObject {
  const object = viewObject(view, stored);
  const { specReplicasPath, statusReplicasPath, labelSelectorPath } = pathsOf(view);
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  const selector = labelSelectorPath ? fieldText(object, labelSelectorPath) : labelsText(object);
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
    spec: { replicas: Number(fieldText(object, specReplicasPath) || 0) },
    status: {
      replicas: Number(fieldText(object, statusReplicasPath) || 0),
      ...(selector ? { selector } : {}),
    },
  } as unknown as ApiObject;
}

function labelsText(object: ApiObject): string {
  const spec = object['spec'] as { selector?: { matchLabels?: Record<string, string> } } | undefined;
  return Object.entries(spec?.selector?.matchLabels ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

/** `live` with the replicas that `scale` asks for; changes nothing else. */
export function withScale(view: View, live: ApiObject, scale: ApiObject): ApiObject {
  const replicas = (scale['spec'] as { replicas?: number } | undefined)?.replicas ?? 0;
  const steps = pathsOf(view).specReplicasPath.split('.');
  const next = structuredClone(live);
  let place: Record<string, unknown> = next;
  for (const step of steps.slice(0, -1)) {
    place[step] ??= {};
    place = place[step] as Record<string, unknown>;
  }
  place[steps.at(-1)!] = replicas;
  const { resourceVersion } = scale.metadata;
  if (resourceVersion) next.metadata.resourceVersion = resourceVersion;
  return next;
}
