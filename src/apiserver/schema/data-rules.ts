import { canonicalBase64 } from './base64.ts';
import { type FieldError, forbidden, goJson, invalid, required, tooLong } from './field-error.ts';
import { configMapKey } from './names.ts';
import { isObject, type Json, mapObject, textOf } from './structural.ts';

/** The values of a Secret or ConfigMap together. */
const dataLimitBytes = 1024 * 1024;

type Data = Record<string, string>;

/**
 * A Secret with its type, its values as Go writes them, and stringData, which is only ever written, folded into data.
 */
export function withSecretDefaults(secret: Json): Json {
  const { stringData, ...rest } = withCanonicalBytes(secret, 'data') as Json & {
    stringData?: Data;
    data?: Data;
  };
  const folded = Object.entries(stringData ?? {}).map(
    ([key, text]) => [key, Buffer.from(text).toString('base64')] as const,
  );
  const data = folded.length > 0 ? { data: { ...rest.data, ...Object.fromEntries(folded) } } : {};
  return { ...rest, ...data, type: rest['type'] || 'Opaque' };
}

/** The object with the base64 in `field` as Go writes it, whatever line breaks it was sent with. */
export function withCanonicalBytes(object: Json, field: string): Json {
  const data = object[field];
  if (!isObject(data)) return object;
  const canonical = mapObject(data, (_, value) => canonicalBase64(value as string));
  return canonical === data ? object : { ...object, [field]: canonical };
}

/** Keys that a Secret of a type must have; with several lists, one of them. */
const neededKeys: Readonly<Record<string, readonly (readonly string[])[]>> = {
  'kubernetes.io/tls': [['tls.crt', 'tls.key']],
  'kubernetes.io/ssh-auth': [['ssh-privatekey']],
  'kubernetes.io/basic-auth': [['username'], ['password']],
  'kubernetes.io/dockercfg': [['.dockercfg']],
  'kubernetes.io/dockerconfigjson': [['.dockerconfigjson']],
};

export function secretErrors(secret: Json, old?: Json): FieldError[] {
  const data = (secret['data'] ?? {}) as Data;
  const type = textOf(secret['type']);
  const errors = dataErrors(data, 'data', base64Size);
  const choices = neededKeys[type] ?? [];
  if (!choices.some((keys) => keys.every((key) => Object.hasOwn(data, key)))) {
    const missing = choices.flatMap((keys) => keys.filter((key) => !Object.hasOwn(data, key)));
    errors.push(...missing.map((key) => required(`data[${key}]`)));
  }
  if (type === 'kubernetes.io/service-account-token') {
    const { annotations } = (secret['metadata'] ?? {}) as { annotations?: Data };
    const name = 'kubernetes.io/service-account.name';
    if (!annotations?.[name]) errors.push(required(`metadata.annotations[${name}]`));
  }
  if (old && old['type'] !== secret['type'])
    errors.push(invalid('type', secret['type'], 'field is immutable'));
  return [...errors, ...immutableErrors(secret, old, ['data'])];
}

export function configMapErrors(configMap: Json, old?: Json): FieldError[] {
  const data = (configMap['data'] ?? {}) as Data;
  const binaryData = (configMap['binaryData'] ?? {}) as Data;
  const errors = [...dataErrors(data, 'data', textSize), ...dataErrors(binaryData, 'binaryData', base64Size)];
  for (const key of Object.keys(binaryData)) {
    if (Object.hasOwn(data, key)) {
      errors.push(invalid(`binaryData[${key}]`, key, 'duplicate of key present in data'));
    }
  }
  const size = sizeOf(data, textSize) + sizeOf(binaryData, base64Size);
  if (size > dataLimitBytes && errors.every(({ type }) => type !== 'FieldValueTooLong'))
    errors.push(tooLong('', dataLimitBytes));
  return [...errors, ...immutableErrors(configMap, old, ['data', 'binaryData'])];
}

function dataErrors(data: Data, field: string, bytesOf: (value: string) => number): FieldError[] {
  const errors = Object.keys(data).flatMap((key) =>
    configMapKey(key).map((problem) => invalid(`${field}[${key}]`, key, problem)),
  );
  if (sizeOf(data, bytesOf) > dataLimitBytes) errors.push(tooLong(field, dataLimitBytes));
  return errors;
}

function sizeOf(data: Data, bytesOf: (value: string) => number): number {
  return Object.values(data).reduce((sum, value) => sum + bytesOf(value), 0);
}

function textSize(value: string): number {
  return Buffer.byteLength(value);
}

function base64Size(value: string): number {
  return Buffer.byteLength(value, 'base64');
}

/** `immutable`, once true, holds for itself and for the data. */
function immutableErrors(object: Json, old: Json | undefined, fields: readonly string[]): FieldError[] {
  if (old?.['immutable'] !== true) return [];
  const why = 'field is immutable when `immutable` is set';
  const same = (field: string) => goJson(object[field] ?? {}) === goJson(old[field] ?? {});
  return [
    ...(object['immutable'] === true ? [] : [forbidden('immutable', why)]),
    ...fields.filter((field) => !same(field)).map((field) => forbidden(field, why)),
  ];
}
