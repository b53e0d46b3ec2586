import type { Answer } from './answer.ts';
import type { ApiObject } from './api-object.ts';
import { callOptions, type WritingRoutes } from './call-options.ts';
import { inspectJson } from './decode/json.ts';
import { applyJsonPatch } from './patch/json-patch.ts';
import { applyMergePatch } from './patch/merge-patch.ts';
import { applyStrategicMergePatch } from './patch/strategic-merge-patch.ts';
import { isTrue } from './request-info.ts';
import { answerWritten, written } from './resource-answers.ts';
import type { ResourceCall } from './resource-routes.ts';
import { scaleOf, withScale } from './scale.ts';
import { badRequest, unsupportedMediaType } from './status-errors.ts';
import { decodeObject, requestBody, wrongOption } from './write-request.ts';

const mediaTypes = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

type Change = (object: Record<string, unknown>) => Record<string, unknown>;

/** PATCH in all its forms; the Content-Type says which. */
export async function patchAnswer(routes: WritingRoutes, call: ResourceCall): Promise<Answer> {
  const { registry } = routes;
  const { view, resource, request, info, form } = call;
  const { namespace, subresource } = resource;
  const name = resource.name!;
  const mediaType = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  const accepted: readonly string[] = Object.values(mediaTypes).filter(
    (one) => !view.type.custom || one !== mediaTypes.strategic,
  );
  if (!accepted.includes(mediaType)) throw unsupportedMediaType(accepted);
  const bytes = await requestBody(request);
  const options = callOptions(routes, call);
  if (mediaType === mediaTypes.apply) {
    if (!info.query.get('fieldManager')) {
      const message = 'Required value: is required for apply patch';
      throw wrongOption('fieldManager', 'FieldValueRequired', message, 'PatchOptions');
    }
    const applied = decodeObject(bytes, 'application/yaml', view.version.info);
    applied.object.metadata = { ...applied.object.metadata, name: applied.object.metadata?.name || name };
    const force = info.query.has('force') && isTrue(info.query.get('force'));
    return answerWritten(form, await registry.apply(view, namespace, name, applied, { ...options, force }));
  }
  const { change, duplicateFields } = readPatch(call, mediaType, bytes);
  if (subresource === 'scale') {
    const done = await registry.modify(view, namespace, name, options, (live) => {
      const scale = scaleOf(view, registry.find(view, namespace, name));
      return withScale(view, live, change(scale) as ApiObject);
    });
    return written(form, scaleOf(view, done.stored), 200);
  }
  const patched = (live: ApiObject) => change(live) as ApiObject;
  return answerWritten(form, await registry.modify(view, namespace, name, options, patched, duplicateFields));
}

function readPatch(
  { view }: ResourceCall,
  mediaType: string,
  bytes: Buffer,
): { change: Change; duplicateFields: readonly string[] } {
  const text = bytes.toString();
  let patch: unknown;
  try {
    patch = JSON.parse(text);
  } catch (error) {
    throw badRequest(`error decoding patch: ${(error as Error).message}`);
  }
  const { duplicateFields, tooDeep } = inspectJson(text);
  if (tooDeep) throw badRequest('error decoding patch: it nests too deeply');
  if (mediaType === mediaTypes.json)
    return { change: (object) => applyJsonPatch(object, patch), duplicateFields: [] };
  if (mediaType === mediaTypes.merge)
    return { change: (object) => applyMergePatch(object, patch), duplicateFields };
  const { schema } = view.version.info;
  return { change: (object) => applyStrategicMergePatch(schema, object, patch), duplicateFields };
}
