import { describeError, Fault } from '../../base/fault.ts';
import { type HclItem, type HclValue, isHclObject, parseHcl, parseHclJson } from '../../vault/policy/hcl.ts';
import { boolean } from '../../vault/routing/coerce.ts';
import { type ListenAddress, parseListenAddress } from '../../wire/http-server.ts';

/** What a server's configuration file says. */
export interface ServerConfig {
  listen: ListenAddress;
  /** Paths of PEM files; plain HTTP where absent. */
  tls: { certFile: string; keyFile: string } | undefined;
  /** The folder that everything durable is kept in. */
  storagePath: string;
  apiAddress: string | undefined;
  logLevel: string | undefined;
}

/**
 * Reads a server's configuration in Vault's own language (HCL, or the same as JSON). What has no meaning here is
 * refused by its name rather than passed over: nobody should believe in a setting that does nothing.
 *
 * @throws Fault `cli.config` naming the setting and the place
 */
export function readServerConfig(source: string): ServerConfig {
  const top = settings(parse(source), '');
  const listener = stanza(top, 'listener', ['tcp']);
  const storage = stanza(top, 'storage', ['file', 'capstan']);
  mustBe(top, 'disable_mlock', true, 'memory is not locked here');
  mustBe(top, 'ui', false, 'there is no user interface here');
  const config: ServerConfig = {
    listen: listenAddress(text(listener, 'address') ?? '127.0.0.1:8200'),
    tls: tlsFiles(listener),
    storagePath: required(storage, 'path'),
    apiAddress: text(top, 'api_addr'),
    logLevel: text(top, 'log_level'),
  };
  for (const read of [top, listener, storage]) refuseRest(read);
  return config;
}

/** The settings of one block, by name; those that were read are taken out. */
interface Settings {
  /** How the block is told of: `listener "tcp": `; empty for the file itself. */
  where: string;
  items: Map<string, HclItem[]>;
}

function parse(source: string): readonly HclItem[] {
  try {
    return (source.trimStart().startsWith('{') ? parseHclJson(source) : parseHcl(source)).items;
  } catch (error) {
    throw configFault(describeError(error), error);
  }
}

function settings(items: readonly HclItem[], where: string): Settings {
  return { where, items: Map.groupBy(items, ({ keys }) => keys[0]) };
}

function configFault(message: string, cause?: unknown): Fault {
  return new Fault(message, { code: 'cli.config', blame: 'operator', cause });
}

function refuseRest({ where, items }: Settings): void {
  const [rest] = items.values();
  if (!rest) return;
  const [{ keys, at }] = rest as [HclItem];
  const name = keys.map((key, index) => (index === 0 ? key : JSON.stringify(key))).join(' ');
  throw configFault(`${where}${name} (line ${at.line}) is not supported`);
}

/** The one block `name "type" { ... }`; as JSON `"name": {"type": {...}}` is the same. */
function stanza(top: Settings, name: string, types: readonly string[]): Settings {
  const found = (top.items.get(name) ?? []).flatMap(typed);
  top.items.delete(name);
  const wanted = types.map((type) => `${name} "${type}" { ... }`).join(' or ');
  if (found.length === 0) throw configFault(`${wanted} is missing`);
  if (found.length > 1) throw configFault(`there may be one ${name} only`);
  const [item] = found as [HclItem];
  const [, type = ''] = item.keys;
  if (!types.includes(type) || item.keys.length > 2 || !isHclObject(item.value)) {
    throw configFault(
      `${name} ${JSON.stringify(type)} (line ${item.at.line}) is not supported; use ${wanted}`,
    );
  }
  return settings(item.value.items, `${name} "${type}": `);
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

function text(from: Settings, name: string): string | undefined {
  const value = take(from, name);
  if (value === undefined || typeof value === 'string') return value;
  throw configFault(`${from.where}${name} takes a text in quotes`);
}

function required(from: Settings, name: string): string {
  const value = text(from, name);
  if (value) return value;
  throw configFault(`${from.where}${name} is missing`);
}

/** As Vault takes them: `true`, `"true"`, `1` or `"1"`. */
function flag(from: Settings, name: string): boolean | undefined {
  const value = take(from, name);
  try {
    return value === undefined ? undefined : boolean(value);
  } catch (error) {
    throw configFault(`${from.where}${name} takes true or false`, error);
  }
}

function mustBe(from: Settings, name: string, wanted: boolean, why: string): void {
  if ((flag(from, name) ?? wanted) !== wanted)
    throw configFault(`${from.where}${name}: ${why}; set it to ${wanted}`);
}

function listenAddress(address: string): ListenAddress {
  // The port may be left out, and is Vault's then.
  return parseListenAddress(/:\d+$/.test(address) ? address : `${address}:8200`);
}

function tlsFiles(listener: Settings): ServerConfig['tls'] {
  const disabled = flag(listener, 'tls_disable') ?? false;
  const certFile = text(listener, 'tls_cert_file');
  const keyFile = text(listener, 'tls_key_file');
  if (disabled) return undefined;
  if (certFile && keyFile) return { certFile, keyFile };
  throw configFault(
    `${listener.where}${certFile ? 'tls_key_file' : 'tls_cert_file'} is missing; give it, or set tls_disable = true`,
  );
}
