import type { ApiObject } from './api-object.ts';
import type { View } from './object-view.ts';
import type { WriteOptions } from './registry.ts';
import {
  nameChecker,
  type Prepared,
  prepareCreate,
  prepareUpdate,
  validateMeta,
} from './schema/builtin-rules.ts';
import type { FieldError } from './schema/field-error.ts';
import { applyDefaults, pruneFields, unknownFields, validateObject } from './schema/structural.ts';
import { badRequest, invalid } from './status-errors.ts';

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
  const known = applyDefaults(schema, pruneFields(schema, object));
  const schemaErrors = validateObject(schema, known);
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
  return prepared.object as ApiObject;
}

function prepare({ type }: View, object: ApiObject, live: ApiObject | undefined): Prepared {
  return live ? prepareUpdate(type, object, live) : prepareCreate(type, object);
}

function judgeFields(
  view: View,
  complaints: readonly string[],
  { fieldValidation, warn }: WriteOptions,
): void {
  if (complaints.length === 0 || fieldValidation === 'Ignore') return;
  if (fieldValidation === 'Strict') {
    throw badRequest(`${cannotBeHandled(view)}: strict decoding error: ${complaints.join(', ')}`);
  }
  for (const complaint of complaints) warn(complaint);
}

function refuse(view: View, name: string, errors: readonly FieldError[]): void {
  if (errors.length === 0) return;
  const { group, kind, custom } = view.type;
  const wrongType = errors.find(isWrongType);
  // What cannot be decoded into a built-in kind's structure never reaches its validation.
  if (!custom && wrongType) {
    throw badRequest(`${cannotBeHandled(view)}: json: ${wrongType.field}: ${wrongType.message}`);
  }
  throw invalid({ group, kind, name }, errors);
}

function isWrongType({ type }: FieldError): boolean {
  return type === 'FieldValueTypeInvalid';
}

function cannotBeHandled({ version: { info } }: View): string {
  return `${info.kind} in version ${JSON.stringify(info.version)} cannot be handled as a ${info.kind}`;
}

export function trackManager(
  _view: View,
  _live: ApiObject | undefined,
  next: ApiObject,
  _now: string,
  _options: WriteOptions,
): ApiObject {
  return next;
}

export function applyManaged(
  _view: View,
  live: ApiObject | undefined,
  applied: ApiObject,
  _now: string,
  _options: WriteOptions & { force: boolean },
): ApiObject {
  return live ? { ...live, ...applied } : applied;
}
