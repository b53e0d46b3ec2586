import { child, type FieldError, forbidden, required } from './field-error.ts';
import { compilePattern } from './pattern.ts';
import type { RawSchema } from './schema-node.ts';

/** What only the structure of a schema may say, never a branch of `allOf` and its like, with upstream's reason. */
const structureOnly: Readonly<Record<string, string>> = {
  type: 'must be empty to be structural',
  title: 'must be empty to be structural',
  description: 'must be empty to be structural',
  default: 'must be undefined to be structural',
  additionalProperties: 'must be undefined to be structural',
  nullable: 'must be false to be structural',
  'x-kubernetes-preserve-unknown-fields': 'must be false to be structural',
  'x-kubernetes-embedded-resource': 'must be false to be structural',
  'x-kubernetes-int-or-string': 'must be false to be structural',
  'x-kubernetes-list-map-keys': 'must be empty to be structural',
  'x-kubernetes-list-type': 'must be undefined to be structural',
  'x-kubernetes-map-type': 'must be undefined to be structural',
  'x-kubernetes-validations': 'must be empty to be structural',
};

interface Place {
  path: string;
  /** The node of the structure that a branch speaks of; undefined where there is none. */
  structure: RawSchema | undefined;
  structurePath: string;
}

/**
 * Why the branches of `allOf`, `anyOf`, `oneOf` and `not` in `node` are not structural: they say more than values may
 * be, or speak of fields that the structure around them does not have.
 */
export function junctorErrors(node: RawSchema, path: string): FieldError[] {
  return branchErrors(node, { path, structure: node, structurePath: path });
}

function branchErrors(node: RawSchema, place: Place): FieldError[] {
  const branches: [RawSchema, string][] = [];
  for (const junctor of ['allOf', 'anyOf', 'oneOf']) {
    const list = (node[junctor] ?? []) as RawSchema[];
    if (junctor === 'anyOf' && saysIntOrString(list)) continue;
    branches.push(...list.map((branch, index): [RawSchema, string] => [branch, `${junctor}[${index}]`]));
  }
  const not = node['not'] as RawSchema | undefined;
  if (not) branches.push([not, 'not']);
  return branches.flatMap(([branch, name]) =>
    nestedErrors(branch, { ...place, path: child(place.path, name) }),
  );
}

/** The one way in which types may stand in a branch: both kinds of an int-or-string. */
function saysIntOrString(anyOf: readonly RawSchema[]): boolean {
  const types = anyOf.map((branch) => (Object.keys(branch).length === 1 ? branch['type'] : undefined));
  return types.length === 2 && types[0] === 'integer' && types[1] === 'string';
}

function nestedErrors(node: RawSchema, place: Place): FieldError[] {
  const { path, structure, structurePath } = place;
  if (!structure) return [required(structurePath, `because it is defined in ${path}`)];
  const errors = Object.entries(structureOnly)
    .filter(([keyword]) => isSaid(node[keyword]))
    .map(([keyword, why]) => forbidden(child(path, keyword), why));
  const pattern = node['pattern'];
  if (typeof pattern === 'string' && !compilePattern(pattern)) {
    errors.push(forbidden(child(path, 'pattern'), "must be a valid regular expression, but isn't"));
  }
  errors.push(...branchErrors(node, place));
  const items = node['items'] as RawSchema | undefined;
  if (items) {
    const inner = structure['items'] as RawSchema | undefined;
    errors.push(
      ...nestedErrors(items, {
        path: child(path, 'items'),
        structure: inner,
        structurePath: child(structurePath, 'items'),
      }),
    );
  }
  const known = (structure['properties'] ?? {}) as Record<string, RawSchema>;
  for (const [name, property] of Object.entries((node['properties'] ?? {}) as Record<string, RawSchema>)) {
    const at = `${child(path, 'properties')}[${name}]`;
    if (name === 'metadata') errors.push(forbidden(at, 'must not be specified in a nested context'));
    errors.push(
      ...nestedErrors(property, {
        path: at,
        structure: Object.hasOwn(known, name) ? known[name] : undefined,
        structurePath: `${child(structurePath, 'properties')}[${name}]`,
      }),
    );
  }
  return errors;
}

function isSaid(value: unknown): boolean {
  if (value === undefined || value === false || value === '') return false;
  return !Array.isArray(value) || value.length > 0;
}
