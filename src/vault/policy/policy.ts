import { describeError, Fault } from '../../base/fault.ts';
import { coreMessage } from '../faults.ts';
import { durationMs } from '../routing/coerce.ts';
import type { Alias } from '../token/token.ts';
import { type HclItem, type HclObject, type HclValue, isHclObject, parseHcl, parseHclJson } from './hcl.ts';
import { fillTemplates } from './templates.ts';

export const capabilities = ['create', 'read', 'update', 'delete', 'list', 'patch', 'sudo'] as const;
export type Capability = (typeof capabilities)[number];

/** Values that a parameter may (or may not) have, by the parameter's name in lower case; empty for any value. */
export type ParameterValues = ReadonlyMap<string, readonly unknown[]>;

/** What one path of a policy grants. */
export interface Grant {
  /** A denial holds nothing else, and beats what any other policy grants on the same path. */
  deny: boolean;
  capabilities: ReadonlySet<Capability>;
  allowedParameters?: ParameterValues;
  deniedParameters?: ParameterValues;
  requiredParameters: readonly string[];
  minWrappingTtlMs: number;
  maxWrappingTtlMs: number;
}

export interface PathRule {
  /** The path below `/v1/`; without its `*` where `matches` is `prefix`, with it where it is `segments` or `template`. */
  path: string;
  matches: 'exact' | 'prefix' | 'segments' | 'template';
  grant: Grant;
}

export interface Policy {
  rules: readonly PathRule[];
}

/**
 * Reads a policy in HCL, or in JSON where it begins with a brace. Identity templates (`{{identity.entity.id}}`) are
 * checked, and stay as they are.
 *
 * @throws Fault `vault.policy`, in Vault's words with what is wrong and where
 */
export function parsePolicy(source: string): Policy {
  try {
    const document = source.trimStart().startsWith('{') ? parseHclJson(source) : parseHcl(source);
    assertKeys(document.items, new Set(['path', 'name']));
    const stanzas = document.items.filter(({ keys }) => keys[0] === 'path').flatMap(pathStanzas);
    return { rules: stanzas.map(([path, body]) => readRule(path, body)) };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw policyFault(`failed to parse policy: ${describeError(error)}`, error);
  }
}

function policyFault(message: string, cause?: unknown): Fault {
  return new Fault(message, { code: 'vault.policy', blame: 'caller', cause });
}

/** Tells of every key that has no business there, in the form in which Vault does. */
function assertKeys(items: readonly HclItem[], known: ReadonlySet<string>, where = ''): void {
  const wrong = items.filter(({ keys }) => !known.has(keys[0]));
  if (wrong.length === 0) return;
  const told = wrong.map(
    ({ keys, at }) => `${where}invalid key ${JSON.stringify(keys[0])} on line ${at.line}`,
  );
  throw policyFault(coreMessage(...told));
}

/** `path "a" {}`, `path = { "a" = {} }` and JSON's `"path": [{ "a": {} }]` all say the same. */
function pathStanzas({ keys, value, at }: HclItem): [string, HclObject][] {
  const [, path, ...more] = keys;
  if (more.length > 0) throw policyFault(`a path has one name, on line ${at.line} it has ${keys.length - 1}`);
  if (path !== undefined) return [[path, asObject(value, `path ${JSON.stringify(path)}`)]];
  const groups: readonly HclValue[] = Array.isArray(value) ? (value as HclValue[]) : [value];
  return groups.flatMap((group) =>
    asObject(group, 'path').items.flatMap((item) => pathStanzas({ ...item, keys: ['path', ...item.keys] })),
  );
}

function asObject(value: HclValue, what: string): HclObject {
  if (isHclObject(value)) return value;
  throw policyFault(`${what} takes a block`);
}

const oldPolicies: Readonly<Record<string, readonly string[]>> = {
  deny: ['deny'],
  read: ['read', 'list'],
  write: ['create', 'read', 'update', 'delete', 'list'],
  sudo: ['create', 'read', 'update', 'delete', 'list', 'sudo'],
};

const ruleKeys = new Set([
  'comment',
  'policy',
  'capabilities',
  'allowed_parameters',
  'denied_parameters',
  'required_parameters',
  'min_wrapping_ttl',
  'max_wrapping_ttl',
]);

function readRule(name: string, body: HclObject): PathRule {
  const where = `path ${JSON.stringify(name)}`;
  assertKeys(body.items, ruleKeys, `${where}: `);
  const values = new Map<string, HclValue>();
  for (const item of body.items) {
    const [key, ...more] = item.keys;
    if (more.length > 0) throw policyFault(`${where}: ${key} takes a value, on line ${item.at.line}`);
    if (values.has(key)) throw policyFault(`${where}: ${key} is given twice, again on line ${item.at.line}`);
    values.set(key, item.value);
  }
  const grant = readGrant(where, values);
  const path = name.startsWith('/') ? name.slice(1) : name;
  if (path.includes('+*')) throw policyFault(`${where}: invalid use of wildcards ('+*' is forbidden)`);
  if (isTemplated(path, where)) return { path, matches: 'template', grant };
  return { ...matching(path), grant };
}

/** How a path without templates is matched. */
function matching(path: string): Omit<PathRule, 'grant'> {
  if (path.split('/').includes('+') || path.includes('/+') || path.startsWith('+/')) {
    return { path, matches: 'segments' };
  }
  if (path.endsWith('*')) return { path: path.slice(0, -1), matches: 'prefix' };
  return { path, matches: 'exact' };
}

/** The policy as it is for who has `alias`: templates are filled, and rules whose templates have no value left out. */
export function resolvePolicy({ rules }: Policy, alias: Alias | undefined): Policy {
  return {
    rules: rules.flatMap((rule) => {
      if (rule.matches !== 'template') return rule;
      const path = fillTemplates(rule.path, alias);
      return path === undefined ? [] : { ...matching(path), grant: rule.grant };
    }),
  };
}

function isTemplated(path: string, where: string): boolean {
  const templates = path.match(/\{\{[^{}\n]*\}\}/g) ?? [];
  if (/\{\{|\}\}/.test(path.replaceAll(/\{\{[^{}\n]*\}\}/g, ''))) {
    throw policyFault(`${where}: failed to validate policy templating: unbalanced templating characters`);
  }
  const unknown = templates.find((template) => !/^\{\{\s*identity\.[\w.\-/ ]+\s*\}\}$/.test(template));
  if (unknown)
    throw policyFault(`${where}: failed to validate policy templating: ${unknown} is no identity template`);
  return templates.length > 0;
}

function readGrant(where: string, values: ReadonlyMap<string, HclValue>): Grant {
  const names = [...oldPolicy(where, values.get('policy')), ...texts(where, 'capabilities', values)];
  const wrapping = (key: string) => {
    const value = values.get(key);
    if (value === undefined) return 0;
    try {
      return durationMs(value);
    } catch (error) {
      throw policyFault(`${where}: error parsing ${key}: ${describeError(error)}`, error);
    }
  };
  const minWrappingTtlMs = wrapping('min_wrapping_ttl');
  const maxWrappingTtlMs = wrapping('max_wrapping_ttl');
  if (maxWrappingTtlMs !== 0 && maxWrappingTtlMs < minWrappingTtlMs) {
    throw policyFault(`${where}: max_wrapping_ttl cannot be less than min_wrapping_ttl`);
  }
  const allowedParameters = parameters(where, 'allowed_parameters', values);
  const deniedParameters = parameters(where, 'denied_parameters', values);
  const rest = {
    requiredParameters: texts(where, 'required_parameters', values).map((name) => name.toLowerCase()),
    minWrappingTtlMs,
    maxWrappingTtlMs,
    ...(allowedParameters ? { allowedParameters } : {}),
    ...(deniedParameters ? { deniedParameters } : {}),
  };
  const unknown = names.find((name) => name !== 'deny' && !capabilities.includes(name as Capability));
  if (unknown !== undefined) throw policyFault(`${where}: invalid capability ${JSON.stringify(unknown)}`);
  if (names.includes('deny')) return denial;
  return { deny: false, capabilities: new Set(names as Capability[]), ...rest };
}

/** What a path that is denied grants. */
export const denial: Grant = {
  deny: true,
  capabilities: new Set(),
  requiredParameters: [],
  minWrappingTtlMs: 0,
  maxWrappingTtlMs: 0,
};

function oldPolicy(where: string, value: HclValue | undefined): readonly string[] {
  if (value === undefined || value === '') return [];
  const names =
    typeof value === 'string' && Object.hasOwn(oldPolicies, value) ? oldPolicies[value] : undefined;
  if (!names) throw policyFault(`${where}: invalid policy ${JSON.stringify(value)}`);
  return names;
}

function texts(where: string, key: string, values: ReadonlyMap<string, HclValue>): string[] {
  const value = values.get(key) ?? [];
  if (!Array.isArray(value) || value.some((element) => typeof element !== 'string')) {
    throw policyFault(`${where}: ${key} takes a list of texts`);
  }
  return value as string[];
}

function parameters(
  where: string,
  key: string,
  values: ReadonlyMap<string, HclValue>,
): ParameterValues | undefined {
  const value = values.get(key);
  if (value === undefined) return undefined;
  const result = new Map<string, readonly unknown[]>();
  for (const item of asObject(value, `${where}: ${key}`).items) {
    const [name] = item.keys;
    if (!Array.isArray(item.value)) {
      throw policyFault(`${where}: ${key} takes a list of values for ${JSON.stringify(name)}`);
    }
    result.set(name.toLowerCase(), item.value as readonly unknown[]);
  }
  return result;
}
