import type { ApiObject } from './api-object.ts';
import type { View } from './object-view.ts';
import type { WriteOptions } from './registry.ts';
import { crdErrors, withCrdDefaults } from './schema/crd-rules.ts';
import type { FieldError } from './schema/field-error.ts';
import { applyDefaults, pruneFields, unknownFields, validateObject } from './schema/structural.ts';
import { badRequest, invalid } from './status-errors.ts';

/**
 * An object as its schema lets it in: unknown and doubled fields refused, warned of or let go as the request says,
 * then dropped; defaults filled in; the rest checked.
 *
 * @throws StatusFault BadRequest (strict validation; a wrong type in a built-in kind), Invalid
 */
export function admit(
  view: View,
  object: ApiObject,
  duplicateFields: readonly string[],
  options: WriteOptions,
): ApiObject {
  const { info } = view.version;
  const { schema } = info;
  judgeFields(
    view,
    [
      ...(options.fieldValidation === 'Ignore' ? [] : unknownFields(schema, object)).map(
        (field) => `unknown field ${JSON.stringify(field)}`,
      ),
      ...duplicateFields.map((field) => `duplicate field ${JSON.stringify(field)}`),
    ],
    options,
  );
  const defaulted = applyDefaults(schema, pruneFields(schema, object));
  const errors = validateObject(schema, defaulted);
  if (errors.length > 0) throw refusal(view, object.metadata.name, errors);
  return defaulted;
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

function refusal(view: View, name: string, errors: readonly FieldError[]) {
  const { group, kind, custom } = view.type;
  const wrongType = errors.find(({ type }) => type === 'FieldValueTypeInvalid');
  // What cannot be decoded into a built-in kind's structure never reaches its validation.
  if (!custom && wrongType) {
    return badRequest(`${cannotBeHandled(view)}: json: ${wrongType.field}: ${wrongType.message}`);
  }
  return invalid({ group, kind, name }, errors);
}

function cannotBeHandled({ version: { info } }: View): string {
  return `${info.kind} in version ${JSON.stringify(info.version)} cannot be handled as a ${info.kind}`;
}

/** The rules of its kind for a new object: what it must have and what is filled in. */
export function prepareNew(view: View, object: ApiObject): ApiObject {
  if (isDefinition(view)) return checkedDefinition(view, withCrdDefaults(object) as ApiObject);
  return object;
}

/** The rules of its kind for a change from `live` to `next`. */
export function checkUpdate(
  view: View,
  live: ApiObject,
  next: ApiObject,
  subresource: string | undefined,
): ApiObject {
  if (isDefinition(view) && subresource === undefined) {
    return checkedDefinition(view, withCrdDefaults(next) as ApiObject, live);
  }
  return next;
}

function checkedDefinition({ type }: View, definition: ApiObject, live?: ApiObject): ApiObject {
  const errors = crdErrors(definition, live);
  if (errors.length > 0) {
    throw invalid({ group: type.group, kind: type.kind, name: definition.metadata.name }, errors);
  }
  return definition;
}

function isDefinition({ type }: View): boolean {
  return type.group === 'apiextensions.k8s.io' && type.plural === 'customresourcedefinitions';
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
