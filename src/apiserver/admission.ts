import type { ApiObject } from './api-object.ts';
import { recordUpdate } from './apply/managed-fields.ts';
import { ApplyConflictFault, applyPatch } from './apply/server-side-apply.ts';
import { fillNullItems } from './null-items.ts';
import type { View } from './object-view.ts';
import type { WriteOptions } from './registry.ts';
import {
  dropNulls,
  nameChecker,
  type Prepared,
  prepareCreate,
  prepareUpdate,
  validateMeta,
} from './schema/builtin-rules.ts';
import { describeWrongType, type FieldError } from './schema/field-error.ts';
import { type KindInfo, objectMetaSchema } from './schema/kinds.ts';
import { applyDefaults, pruneFields, unknownFields, validateObject } from './schema/structural.ts';
import { applyConflict, badRequest, invalid } from './status-errors.ts';

/**
 * An object as its kind lets it in: unknown and doubled fields refused, warned of or let go as the request says, then
 * dropped; defaults filled in; everything checked.
 *
 * @param live what it takes the place of
 * @throws StatusFault BadRequest (strict validation; a wrong type in a built-in kind), Invalid
 */
export function admit(
  view: View,
  object: ApiObject,
  live: ApiObject | undefined,
  duplicateFields: readonly string[],
  options: WriteOptions,
): ApiObject {
  const { schema } = view.version.info;
  const unknown = options.fieldValidation === 'Ignore' ? [] : unknownFields(schema, object);
  const complaints = [
    ...unknown.map((field) => `unknown field ${JSON.stringify(field)}`),
    ...duplicateFields.map((field) => `duplicate field ${JSON.stringify(field)}`),
  ];
  judgeFields(view, complaints, options);
  const pruned = pruneFields(schema, object);
  const known = applyDefaults(schema, view.type.custom ? pruned : fillNullItems(schema, pruned));
  const schemaErrors = validateObject(schema, known, view.type.custom ? live : undefined);
  // The kind's own rules may count on the types that its schema promises.
  refuse(view, object.metadata.name, schemaErrors.filter(isWrongType));
  const prepared = view.type.custom ? { object: known, errors: [] } : prepare(view, known, live);
  const { namespaced } = view.type;
  const checkName = view.type.custom ? {} : { checkName: nameChecker(view.type) };
  refuse(view, object.metadata.name, [
    ...validateMeta(known.metadata, { namespaced, ...checkName }),
    ...schemaErrors,
    ...prepared.errors,
  ]);
  for (const warning of shortcomings(view, prepared.object as ApiObject)) options.warn(warning);
  return prepared.object as ApiObject;
}

/** What an object asks for that this server takes and does not do: whoever wrote it should know. */
function shortcomings({ type }: View, object: ApiObject): string[] {
  if (type.group === 'admissionregistration.k8s.io')
    return ['this server keeps webhook configurations and calls no webhooks'];
  if (
    type.group === 'apiregistration.k8s.io' &&
    (object['spec'] as { service?: unknown } | undefined)?.service
  )
    return ['this server keeps APIServices and forwards nothing to the servers that they name'];
  if (type.kind !== 'CustomResourceDefinition' || type.custom) return [];
  const { conversion } = object['spec'] as { conversion?: { strategy?: string } };
  return conversion?.strategy === 'Webhook'
    ? [
        'spec.conversion.strategy: this server calls no webhooks; between versions only the apiVersion is exchanged',
      ]
    : [];
}

function prepare({ type }: View, object: ApiObject, live: ApiObject | undefined): Prepared {
  return live ? prepareUpdate(type, object, live) : prepareCreate(type, object);
}

/**
 * The object with metadata that can be worked with: present, of the right types, nulls left out.
 *
 * @throws StatusFault BadRequest
 */
export function withSoundMetadata(info: KindInfo, object: ApiObject): ApiObject {
  const given: unknown = object.metadata ?? {};
  const sound = typeof given === 'object' && !Array.isArray(given);
  const metadata = sound
    ? fillNullItems(objectMetaSchema(), dropNulls(given as Record<string, unknown>))
    : {};
  const wrong = sound
    ? validateObject(objectMetaSchema(), metadata).find(isWrongType)
    : { field: '', message: `Invalid value: ${JSON.stringify(given)}: must be an object` };
  if (!wrong) return { ...object, metadata: { name: '', ...metadata } };
  const field = wrong.field === '' ? 'metadata' : `metadata.${wrong.field}`;
  throw badRequest(`${cannotBeHandled(info)}: json: ${field}: ${wrong.message}`);
}

/**
 * A review: an object that is answered, not kept. Only what its schema promises is checked here.
 *
 * @throws StatusFault BadRequest
 */
export function admitReview(info: KindInfo, object: ApiObject): ApiObject {
  const known = fillNullItems(
    info.schema,
    pruneFields(info.schema, dropNulls(withSoundMetadata(info, object))),
  );
  const wrong = validateObject(info.schema, known).find(isWrongType);
  if (wrong) throw badRequest(`${cannotBeHandled(info)}: ${describeWrongType(wrong)}`);
  return known;
}

function judgeFields(
  view: View,
  complaints: readonly string[],
  { fieldValidation, warn }: WriteOptions,
): void {
  if (complaints.length === 0 || fieldValidation === 'Ignore') return;
  if (fieldValidation === 'Strict') {
    throw badRequest(
      `${cannotBeHandled(view.version.info)}: strict decoding error: ${complaints.join(', ')}`,
    );
  }
  for (const complaint of complaints) warn(complaint);
}

function refuse(view: View, name: string, errors: readonly FieldError[]): void {
  if (errors.length === 0) return;
  const { group, kind, custom } = view.type;
  const wrongType = errors.find(isWrongType);
  // What cannot be decoded into a built-in kind's structure never reaches its validation.
  if (!custom && wrongType) {
    throw badRequest(`${cannotBeHandled(view.version.info)}: ${describeWrongType(wrongType)}`);
  }
  throw invalid({ group, kind, name }, errors);
}

function isWrongType({ type }: FieldError): boolean {
  return type === 'FieldValueTypeInvalid';
}

function cannotBeHandled(info: KindInfo): string {
  return `${info.kind} in version ${JSON.stringify(info.version)} cannot be handled as a ${info.kind}`;
}

/** `next` with managedFields that say who owns what after this create, update or patch. */
export function trackManager(
  { version }: View,
  live: ApiObject | undefined,
  next: ApiObject,
  nowRfc3339: string,
  { manager, subresource }: WriteOptions,
): ApiObject {
  const { schema } = version.info;
  const { apiVersion } = version;
  return recordUpdate({
    schema,
    before: live,
    after: next,
    manager,
    subresource,
    nowRfc3339,
    apiVersion,
  }) as ApiObject;
}

/**
 * What server-side apply makes of `live`, managedFields included.
 *
 * @throws StatusFault Conflict, naming the managers whose fields it would take; Fault apiserver.apply.*
 */
export function applyManaged(
  { version }: View,
  live: ApiObject | undefined,
  applied: ApiObject,
  nowRfc3339: string,
  { manager, subresource, force }: WriteOptions & { force: boolean },
): ApiObject {
  const { info, apiVersion } = version;
  const others = Object.keys(applied).filter(
    (field) => !['apiVersion', 'kind', 'metadata', 'status'].includes(field),
  );
  const ignored = subresource === 'status' ? others : info.subresources.includes('status') ? ['status'] : [];
  const { name, namespace } = applied.metadata;
  const given =
    subresource === 'status'
      ? { ...applied, metadata: { name, ...(namespace === undefined ? {} : { namespace }) } }
      : applied;
  try {
    const options = { live, applied: given, manager, force, subresource, ignored, nowRfc3339, apiVersion };
    return applyPatch({ schema: info.schema, ...options }).object as ApiObject;
  } catch (error) {
    if (!(error instanceof ApplyConflictFault)) throw error;
    const causes = error.conflicts.map(({ manager: owner, field }) => ({
      reason: 'FieldManagerConflict',
      message: `conflict with ${owner}`,
      field,
    }));
    throw applyConflict(error.message, causes);
  }
}
