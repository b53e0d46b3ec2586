import { structuralErrors } from './crd-schema-rules.ts';
import {
  child,
  duplicate,
  type FieldError,
  forbidden,
  goJson,
  invalid,
  notSupported,
  required,
  tooMany,
} from './field-error.ts';
import { dns1035Label, dns1123Subdomain } from './names.ts';
import type { RawSchema } from './schema-node.ts';
import { compileSchema, isObject, type Json, unknownFields } from './structural.ts';
import { validateObject } from './validation.ts';

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string'];
const columnFormats = ['byte', 'date', 'date-time', 'double', 'float', 'int32', 'int64', 'password'];

interface Version {
  name?: string;
  served?: boolean;
  storage?: boolean;
  deprecated?: boolean;
  deprecationWarning?: string;
  schema?: { openAPIV3Schema?: RawSchema };
  subresources?: { status?: object; scale?: Record<string, string> };
  additionalPrinterColumns?: Record<string, string>[];
  selectableFields?: { jsonPath?: string }[];
}

interface Spec {
  group?: string;
  scope?: string;
  names?: {
    plural?: string;
    singular?: string;
    kind?: string;
    listKind?: string;
    shortNames?: string[];
    categories?: string[];
  };
  versions?: Version[];
  conversion?: { strategy?: string; webhook?: { clientConfig?: Json; conversionReviewVersions?: string[] } };
  preserveUnknownFields?: boolean;
}

/** A CustomResourceDefinition with the names, conversion and stored version that it leaves to the server filled in. */
export function withCrdDefaults(definition: Json): Json {
  const spec = (definition['spec'] ?? {}) as Spec;
  const status = (definition['status'] ?? {}) as { storedVersions?: string[] };
  const { kind = '' } = spec.names ?? {};
  const stored = spec.versions?.find(({ storage }) => storage)?.name;
  const names = {
    ...spec.names,
    singular: spec.names?.singular || kind.toLowerCase(),
    ...(kind === '' ? {} : { listKind: spec.names?.listKind || `${kind}List` }),
  };
  return {
    ...definition,
    spec: { ...spec, names, conversion: spec.conversion ?? { strategy: 'None' } },
    status:
      status.storedVersions?.length || stored === undefined
        ? status
        : { ...status, storedVersions: [stored] },
  };
}

/**
 * What is wrong with a CustomResourceDefinition's spec and status (apiextensions v1), in upstream's words; its
 * metadata is judged like every object's. CEL rules are judged in form only.
 *
 * @param definition with its defaults (withCrdDefaults)
 * @param old what it replaces; names may not change once it is established
 */
export function crdErrors(definition: Json, old?: Json): FieldError[] {
  const spec = (definition['spec'] ?? {}) as Spec;
  const { name } = (definition['metadata'] ?? {}) as { name?: string };
  const errors: FieldError[] = [];
  if (name !== `${spec.names?.plural ?? ''}.${spec.group ?? ''}`) {
    errors.push(invalid('metadata.name', name ?? '', 'must be spec.names.plural+"."+spec.group'));
  }
  errors.push(...groupErrors(spec), ...versionsErrors(spec.versions ?? []), ...namesErrors(spec.names ?? {}));
  errors.push(...conversionErrors(spec.conversion ?? {}));
  if (spec.preserveUnknownFields) {
    errors.push(
      invalid(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    );
  }
  return [
    ...errors,
    ...storedVersionErrors(definition, spec.versions ?? []),
    ...(old ? changeErrors(spec, old) : []),
  ];
}

function groupErrors({ group = '', scope = '' }: Spec): FieldError[] {
  const errors: FieldError[] = [];
  const problems = dns1123Subdomain(group);
  if (group === '') errors.push(required('spec.group'));
  else if (problems.length > 0) errors.push(invalid('spec.group', group, problems.join(',')));
  else if (!group.includes('.'))
    errors.push(invalid('spec.group', group, 'should be a domain with at least one dot'));
  if (scope === '') errors.push(required('spec.scope'));
  else if (scope !== 'Cluster' && scope !== 'Namespaced') {
    errors.push(notSupported('spec.scope', scope, ['Cluster', 'Namespaced']));
  }
  return errors;
}

function versionsErrors(versions: readonly Version[]): FieldError[] {
  const errors: FieldError[] = [];
  const names = versions.map(({ name = '' }) => name);
  // Upstream keeps what all versions have alike at the top of the spec, and complains about it there.
  const texts = versions.map(({ schema }) => goJson(schema ?? null));
  const alike = versions.length > 0 && texts.every((text) => text === texts[0]);
  for (const [index, version] of versions.entries()) {
    const at = `spec.versions[${index}]`;
    const problems = dns1035Label(version.name ?? '');
    if (problems.length > 0) errors.push(invalid(`${at}.name`, version.name ?? '', problems.join(',')));
    errors.push(...versionErrors(version, at));
    if (!version.schema?.openAPIV3Schema) errors.push(required(`${at}.schema.openAPIV3Schema`));
    else if (!alike)
      errors.push(...schemaErrors(version.schema.openAPIV3Schema, `${at}.schema.openAPIV3Schema`));
  }
  const common = alike ? versions[0]!.schema?.openAPIV3Schema : undefined;
  if (common) errors.push(...schemaErrors(common, 'spec.validation.openAPIV3Schema'));
  if (new Set(names).size < names.length)
    errors.push(invalid('spec.versions', versions, 'must contain unique version names'));
  if (versions.filter(({ storage }) => storage).length !== 1) {
    errors.push(
      invalid('spec.versions', versions, 'must have exactly one version marked as storage version'),
    );
  }
  return errors;
}

function versionErrors(version: Version, at: string): FieldError[] {
  const errors: FieldError[] = [];
  const { deprecationWarning: warning } = version;
  const field = `${at}.deprecationWarning`;
  if (warning !== undefined) {
    if (!version.deprecated) errors.push(invalid(field, warning, 'can only be set for deprecated versions'));
    else if (warning === '') errors.push(invalid(field, warning, 'must not be an empty string'));
    else if (warning.length > 256) errors.push(invalid(field, warning, 'must be <= 256 characters long'));
  }
  for (const [index, column] of (version.additionalPrinterColumns ?? []).entries()) {
    errors.push(...columnErrors(column, `${at}.additionalPrinterColumns[${index}]`));
  }
  if (version.subresources?.scale)
    errors.push(...scaleErrors(version.subresources.scale, `${at}.subresources`));
  errors.push(...selectableErrors(version, `${at}.selectableFields`));
  return errors;
}

/** Each must name one scalar of the schema, outside of metadata. */
function selectableErrors({ selectableFields = [], schema }: Version, at: string): FieldError[] {
  const seen = new Set<string>();
  const errors = selectableFields.flatMap(({ jsonPath = '' }, index) => {
    const field = `${at}[${index}].jsonPath`;
    if (jsonPath === '') return [required(field)];
    if (seen.has(jsonPath)) return [duplicate(field, jsonPath)];
    seen.add(jsonPath);
    if (/^\.metadata(\.|$)/.test(jsonPath))
      return [invalid(field, jsonPath, 'must not point to fields in metadata')];
    const type = schemaAt(schema?.openAPIV3Schema, jsonPath)?.['type'];
    if (type === 'string' || type === 'boolean' || type === 'integer') return [];
    const why =
      'must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.';
    return [invalid(field, jsonPath, why)];
  });
  if (selectableFields.length > selectableLimit)
    errors.push(tooMany(at, selectableFields.length, selectableLimit));
  return errors;
}

const selectableLimit = 8;

/** The schema of the field that a simple JSON path (`.spec.host`) names. */
function schemaAt(schema: RawSchema | undefined, path: string): RawSchema | undefined {
  return path
    .split('.')
    .slice(1)
    .reduce<RawSchema | undefined>(
      (node, name) => (node?.['properties'] as Record<string, RawSchema> | undefined)?.[name],
      schema,
    );
}

function columnErrors(column: Record<string, string>, at: string): FieldError[] {
  const { name = '', type = '', format = '', jsonPath = '' } = column;
  const errors: FieldError[] = [];
  const types = `must be one of ${columnTypes.join(',')}`;
  if (name === '') errors.push(required(`${at}.name`));
  if (type === '') errors.push(required(`${at}.type`, types));
  else if (!columnTypes.includes(type)) errors.push(invalid(`${at}.type`, type, types));
  if (format !== '' && !columnFormats.includes(format)) {
    errors.push(invalid(`${at}.format`, format, `must be one of ${columnFormats.join(',')}`));
  }
  if (jsonPath === '') errors.push(required(`${at}.JSONPath`));
  else errors.push(...simplePathErrors(jsonPath, `${at}.JSONPath`));
  return errors;
}

function scaleErrors(scale: Record<string, string>, at: string): FieldError[] {
  const places: [string, string[], boolean][] = [
    ['specReplicasPath', ['.spec'], true],
    ['statusReplicasPath', ['.status'], true],
    ['labelSelectorPath', ['.spec', '.status'], false],
  ];
  return places.flatMap(([key, parents, needed]) => {
    const path = scale[key] ?? '';
    const field = `${at}.scale.${key}`;
    if (path === '') return needed ? [required(field)] : [];
    const errors = simplePathErrors(path, field);
    if (errors.length > 0 || parents.some((parent) => path.startsWith(`${parent}.`))) return errors;
    const where = parents.length === 1 ? parents[0]! : `either ${parents.join(' or ')}`;
    return [invalid(field, path, `should be a json path under ${where}`)];
  });
}

function simplePathErrors(path: string, field: string): FieldError[] {
  return path.startsWith('.') ? [] : [invalid(field, path, 'must be a simple json path starting with .')];
}

function namesErrors(names: NonNullable<Spec['names']>): FieldError[] {
  const errors: FieldError[] = [];
  for (const key of ['plural', 'singular', 'kind', 'listKind'] as const) {
    const name = names[key] ?? '';
    const mixed = key === 'kind' || key === 'listKind';
    const problems = dns1035Label(mixed ? name.toLowerCase() : name);
    const lead = mixed ? 'may have mixed case, but should otherwise match: ' : '';
    if (name === '') errors.push(required(`spec.names.${key}`));
    else if (problems.length > 0) errors.push(invalid(`spec.names.${key}`, name, lead + problems.join(',')));
  }
  for (const key of ['shortNames', 'categories'] as const) {
    for (const [index, name] of (names[key] ?? []).entries()) {
      const problems = dns1035Label(name);
      if (problems.length > 0) errors.push(invalid(`spec.names.${key}[${index}]`, name, problems.join(',')));
    }
  }
  if (names.kind && names.kind === names.listKind) {
    errors.push(invalid('spec.names.listKind', names.listKind, 'kind and listKind may not be the same'));
  }
  return errors;
}

function conversionErrors({ strategy = '', webhook }: NonNullable<Spec['conversion']>): FieldError[] {
  const at = 'spec.conversion';
  if (strategy === '') return [required(`${at}.strategy`)];
  if (strategy !== 'None' && strategy !== 'Webhook')
    return [notSupported(`${at}.strategy`, strategy, ['None', 'Webhook'])];
  if (strategy === 'None') {
    return webhook?.clientConfig
      ? [forbidden(`${at}.webhookClientConfig`, 'should not be set when strategy is not set to Webhook')]
      : [];
  }
  const errors: FieldError[] = [];
  const config = webhook?.clientConfig;
  if (!config) errors.push(required(`${at}.webhookClientConfig`, 'required when strategy is set to Webhook'));
  else if ((config['url'] === undefined) === (config['service'] === undefined)) {
    errors.push(required(`${at}.webhookClientConfig`, 'exactly one of url or service is required'));
  }
  const reviews = webhook?.conversionReviewVersions ?? [];
  if (reviews.length === 0) errors.push(required(`${at}.conversionReviewVersions`));
  else if (!reviews.includes('v1') && !reviews.includes('v1beta1')) {
    errors.push(
      invalid(`${at}.conversionReviewVersions`, reviews, 'must include at least one of v1, v1beta1'),
    );
  }
  return errors;
}

function storedVersionErrors(definition: Json, versions: readonly Version[]): FieldError[] {
  const { storedVersions: stored = [] } = (definition['status'] ?? {}) as { storedVersions?: string[] };
  const at = 'status.storedVersions';
  if (stored.length === 0) return [invalid(at, stored, 'must have at least one stored version')];
  const missing = versions.filter(({ name, storage }) => storage && !stored.includes(name ?? ''));
  const gone = stored.filter((name) => !versions.some((version) => version.name === name));
  return [
    ...missing.map(({ name }) => invalid(at, stored, `must have the storage version ${name}`)),
    ...gone.map((name) =>
      invalid(
        `${at}[${stored.indexOf(name)}]`,
        name,
        `missing from spec.versions; ${name} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${name} and removes ${name} from status.storedVersions`,
      ),
    ),
  ];
}

function changeErrors(spec: Spec, old: Json): FieldError[] {
  const before = (old['spec'] ?? {}) as Spec;
  const conditions = ((old['status'] ?? {}) as { conditions?: { type: string; status: string }[] })
    .conditions;
  const established = conditions?.some(({ type, status }) => type === 'Established' && status === 'True');
  const pairs: [string, unknown, unknown, boolean][] = [
    ['spec.scope', spec.scope, before.scope, established ?? false],
    ['spec.names.kind', spec.names?.kind, before.names?.kind, established ?? false],
    ['spec.group', spec.group, before.group, true],
    ['spec.names.plural', spec.names?.plural, before.names?.plural, true],
  ];
  return pairs
    .filter(([, now, then, fixed]) => fixed && now !== then)
    .map(([field, now]) => invalid(field, now ?? '', 'field is immutable'));
}

/** A schema must be structural, and its defaults must pass it and be whole. */
function schemaErrors(schema: RawSchema, path: string): FieldError[] {
  const errors = structuralErrors(schema, path);
  return errors.length > 0 ? errors : defaultErrors(schema, path);
}

function defaultErrors(raw: RawSchema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const value = raw['default'];
  if (value !== undefined) {
    const at = child(path, 'default');
    const holder = compileSchema({ type: 'object', properties: { default: { ...raw, default: undefined } } });
    if (unknownFields(holder, { default: value }).length > 0)
      errors.push(invalid(at, value, 'must not have unknown fields'));
    for (const { field, message } of validateObject(holder, { default: value })) {
      const place = field.startsWith('default') ? field.slice('default'.length) : '';
      errors.push({ field: at + place, type: 'FieldValueInvalid', message });
    }
  }
  for (const [name, property] of Object.entries((raw['properties'] ?? {}) as Record<string, RawSchema>)) {
    errors.push(...defaultErrors(property, `${child(path, 'properties')}[${name}]`));
  }
  for (const keyword of ['items', 'additionalProperties']) {
    const inner = raw[keyword];
    if (isObject(inner)) errors.push(...defaultErrors(inner, child(path, keyword)));
  }
  return errors;
}
