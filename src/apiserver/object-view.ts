import { type ApiObject, jsonAs, parseObject, type StoredObject } from './api-object.ts';
import type { ResourceType, ServedVersion } from './resource-type.ts';
import {
  type FieldSelector,
  fieldText,
  type LabelSelector,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from './selectors.ts';
import { badRequest } from './status-errors.ts';

/** One kind in one version: how stored objects are seen through it. */
export interface View {
  type: ResourceType;
  version: ServedVersion;
}

/** The object's JSON in the view's version, without parsing wherever only the apiVersion differs. */
export function viewJson({ type, version }: View, stored: StoredObject): Buffer {
  if (version.convert) return Buffer.from(JSON.stringify(version.convert.fromStored(parseObject(stored))));
  return jsonAs(stored, type.storedApiVersion, version.apiVersion);
}

export function viewObject({ version }: View, stored: StoredObject): ApiObject {
  const object = parseObject(stored);
  if (version.convert) return version.convert.fromStored(object);
  object.apiVersion = version.apiVersion;
  return object;
}

/** The object as it is stored. */
export function toStored({ type, version }: View, object: ApiObject): ApiObject {
  if (version.convert) return version.convert.toStored(object);
  return object.apiVersion === type.storedApiVersion
    ? object
    : { ...object, apiVersion: type.storedApiVersion };
}

/** Which objects of a kind a list, watch or collection deletion is about. */
export interface Selection {
  /** What the keys of the selected objects start with. */
  prefix: string;
  labels: LabelSelector;
  fields: FieldSelector;
  matches: (object: StoredObject) => boolean;
}

/** @throws StatusFault BadRequest on a selector that cannot be read or names a field that is not indexed */
export function selectionOf(view: View, namespace: string | undefined, query: URLSearchParams): Selection {
  const labels = parseLabelSelector(query.get('labelSelector') ?? '');
  const fields = parseFieldSelector(query.get('fieldSelector') ?? '');
  const known = ['metadata.name', 'metadata.namespace', ...view.version.selectableFields];
  for (const { field } of fields) {
    if (!known.includes(field)) throw badRequest(`field label not supported: ${field}`);
  }
  const cheap = fields.filter(({ field }) => field.startsWith('metadata.'));
  const deep = fields.filter(({ field }) => !field.startsWith('metadata.'));
  return {
    prefix: namespace === undefined ? '' : `${namespace}/`,
    labels,
    fields,
    matches(object) {
      if (namespace !== undefined && object.namespace !== namespace) return false;
      const near = { metadata: { name: object.name, namespace: object.namespace } };
      if (!cheap.every((one) => (fieldText(near, one.field) === one.value) === one.equal)) return false;
      if (!matchesLabels(labels, object.labels)) return false;
      if (deep.length === 0) return true;
      const whole = viewObject(view, object);
      return deep.every((one) => (selectableText(whole, one.field) === one.value) === one.equal);
    },
  };
}

function selectableText(object: ApiObject, field: string): string {
  // Two labels of v1 Events are no paths.
  if (field === 'source')
    return fieldText(object, 'source.component') || fieldText(object, 'reportingComponent');
  if (field === 'spec.unschedulable') return fieldText(object, field) || 'false';
  return fieldText(object, field);
}
