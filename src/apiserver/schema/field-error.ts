/** What is wrong with a field, by the reason that a cause in a Status gives. */
export type FieldErrorType =
  | 'FieldValueRequired'
  | 'FieldValueInvalid'
  | 'FieldValueTypeInvalid'
  | 'FieldValueNotSupported'
  | 'FieldValueForbidden'
  | 'FieldValueDuplicate'
  | 'FieldValueTooLong'
  | 'FieldValueTooMany';

/** One complaint about an object; `message` has upstream's words, the offending value included. */
export interface FieldError {
  /** `spec.versions[0].name`, `metadata.labels[a/b]` where keys of a map are checked; `<nil>` for the whole object. */
  field: string;
  type: FieldErrorType;
  message: string;
  value?: unknown;
  /** Go's decoder's own words, where it stops at this field without naming it. */
  decoderSays?: string;
}

/** Errors as upstream joins them behind `… is invalid: `. */
export function describeFieldErrors(errors: readonly FieldError[]): string {
  const texts = [...new Set(errors.map(({ field, message }) => `${field}: ${message}`))];
  return texts.length === 1 ? texts[0]! : `[${texts.join(', ')}]`;
}

export function child(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

export function invalid(field: string, value: unknown, detail: string): FieldError {
  return { field, type: 'FieldValueInvalid', message: `Invalid value: ${print(value)}: ${detail}`, value };
}

export function typeInvalid(field: string, value: unknown, detail: string): FieldError {
  return { ...invalid(field, value, detail), type: 'FieldValueTypeInvalid' };
}

/** What keeps an object from being decoded at all. */
export function describeWrongType({ field, message, decoderSays }: FieldError): string {
  return decoderSays ?? `json: ${field}: ${message}`;
}

export function required(field: string, detail = ''): FieldError {
  return { field, type: 'FieldValueRequired', message: withDetail('Required value', detail) };
}

export function forbidden(field: string, detail: string): FieldError {
  return { field, type: 'FieldValueForbidden', message: withDetail('Forbidden', detail) };
}

export function duplicate(field: string, value: unknown): FieldError {
  return { field, type: 'FieldValueDuplicate', message: `Duplicate value: ${print(value)}`, value };
}

export function notSupported(field: string, value: unknown, supported: readonly unknown[]): FieldError {
  const texts = supported.map((one) => JSON.stringify(typeof one === 'string' ? one : goJson(one)));
  const detail = texts.length === 0 ? '' : `supported values: ${texts.join(', ')}`;
  return {
    field,
    type: 'FieldValueNotSupported',
    message: withDetail(`Unsupported value: ${print(value)}`, detail),
    value,
  };
}

export function tooLong(field: string, maxBytes: number): FieldError {
  const bytes = maxBytes === 1 ? 'byte' : 'bytes';
  return { field, type: 'FieldValueTooLong', message: `Too long: may not be more than ${maxBytes} ${bytes}` };
}

export function tooMany(field: string, actual: number, max: number): FieldError {
  const items = max === 1 ? 'item' : 'items';
  return {
    field,
    type: 'FieldValueTooMany',
    message: `Too many: ${actual}: must have at most ${max} ${items}`,
    value: actual,
  };
}

function withDetail(text: string, detail: string): string {
  return detail === '' ? text : `${text}: ${detail}`;
}

function print(value: unknown): string {
  return typeof value === 'number' ? String(value) : goJson(value);
}

/** JSON as Go marshals it: members in order of their names. */
export function goJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).toSorted(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}
