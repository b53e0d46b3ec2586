import { describeError, Fault } from '../../base/fault.ts';
import { type HclItem, type HclValue, isHclObject, parseHcl, parseHclJson } from '../../vault/policy/hcl.ts';
import { boolean, durationMs } from '../../vault/routing/coerce.ts';

/** The settings of one block, by name; those that were read are taken out. */
export interface Settings {
  /** How the block is told of: `listener "tcp": `; empty for the file itself. */
  where: string;
  /** Of a block `name "type" { ... }`. */
  type: string;
  items: Map<string, HclItem[]>;
}

/** The settings of a whole file, in HCL or the same as JSON. @throws Fault `cli.config` */
export function readBlocks(source: string): Settings {
  return settings(parse(source), '');
}

function parse(source: string): readonly HclItem[] {
  try {
    return (source.trimStart().startsWith('{') ? parseHclJson(source) : parseHcl(source)).items;
  } catch (error) {
    throw configFault(describeError(error), error);
  }
}

function settings(items: readonly HclItem[], where: string, type = ''): Settings {
  return { where, type, items: Map.groupBy(items, ({ keys }) => keys[0]) };
}

export function configFault(message: string, cause?: unknown): Fault {
  return new Fault(message, { code: 'cli.config', blame: 'operator', cause });
}

/** A file that the configuration names, or is. */
export function unreadable(what: string, error: unknown): Fault {
  return new Fault(`${what} cannot be read: ${describeError(error)}`, {
    code: 'cli.config',
    blame: 'operator',
    fix: 'name a file that is there and that this user may read',
    cause: error,
  });
}

export function refuseRest({ where, items }: Settings): void {
  const [rest] = items.values();
  if (!rest) return;
  const [{ keys, at }] = rest as [HclItem];
  const name = keys.map((key, index) => (index === 0 ? key : JSON.stringify(key))).join(' ');
  throw configFault(`${where}${name} (line ${at.line}) is not supported`);
}

/** The one block `name "type" { ... }`; as JSON `"name": {"type": {...}}` is the same. */
export function stanza(top: Settings, name: string, types: readonly string[]): Settings {
  const found = stanzas(top, name, types);
  if (found.length > 1) throw configFault(`there may be one ${name} only`);
  return found[0]!;
}

/** All such blocks, of which there must be one. */
export function stanzas(top: Settings, name: string, types: readonly string[]): Settings[] {
  const found = (top.items.get(name) ?? []).flatMap(typed);
  top.items.delete(name);
  const wanted = types.map((type) => `${name} "${type}" { ... }`).join(' or ');
  if (found.length === 0) throw configFault(`${wanted} is missing`);
  return found.map((item) => {
    const [, type = ''] = item.keys;
    if (!types.includes(type) || item.keys.length > 2 || !isHclObject(item.value)) {
      throw configFault(
        `${name} ${JSON.stringify(type)} (line ${item.at.line}) is not supported; use ${wanted}`,
      );
    }
    return settings(item.value.items, `${name} "${type}": `, type);
  });
}

function typed(item: HclItem): readonly HclItem[] {
  if (item.keys.length > 1) return [item];
  const blocks = Array.isArray(item.value) ? (item.value as readonly HclValue[]) : [item.value];
  return blocks.flatMap((block) =>
    isHclObject(block)
      ? block.items.map(({ keys, value, at }) => ({ keys: [...item.keys, ...keys] as [string], value, at }))
      : [item],
  );
}

function take({ where, items }: Settings, name: string): HclValue | undefined {
  const found = items.get(name);
  if (!found) return undefined;
  items.delete(name);
  const [{ keys, value }] = found as [HclItem];
  if (found.length > 1 || keys.length > 1) throw configFault(`${where}${name} may be set once only`);
  return value;
}

export function text(from: Settings, name: string): string | undefined {
  const value = take(from, name);
  if (value === undefined || typeof value === 'string') return value;
  throw configFault(`${from.where}${name} takes a text in quotes`);
}

/** Texts in brackets; none where it is left out. */
export function texts(from: Settings, name: string): readonly string[] {
  const value = take(from, name);
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  throw configFault(`${from.where}${name} takes a list of texts, such as ["a", "b"]`);
}

export function required(from: Settings, name: string): string {
  const value = text(from, name);
  if (value) return value;
  throw configFault(`${from.where}${name} is missing`);
}

/** As Vault takes them: `true`, `"true"`, `1` or `"1"`. */
export function flag(from: Settings, name: string): boolean | undefined {
  const value = take(from, name);
  try {
    return value === undefined ? undefined : boolean(value);
  } catch (error) {
    throw configFault(`${from.where}${name} takes true or false`, error);
  }
}

export function mustBe(from: Settings, name: string, wanted: boolean, why: string): void {
  if ((flag(from, name) ?? wanted) !== wanted)
    throw configFault(`${from.where}${name}: ${why}; set it to ${wanted}`);
}

/** A whole number above zero, in quotes or without. */
export function count(from: Settings, name: string): number | undefined {
  const value = take(from, name);
  if (value === undefined) return undefined;
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  if (typeof number === 'number' && Number.isSafeInteger(number) && number > 0) return number;
  throw configFault(`${from.where}${name} takes a whole number above zero`);
}

/** Milliseconds of a duration above zero: seconds, or as Go writes it. */
export function spanMs(from: Settings, name: string): number | undefined {
  const value = take(from, name);
  if (value === undefined) return undefined;
  try {
    const ms = durationMs(value);
    if (ms > 0) return ms;
  } catch (error) {
    throw configFault(`${from.where}${name}: ${describeError(error)}`, error);
  }
  throw configFault(`${from.where}${name} takes a duration above zero`);
}
