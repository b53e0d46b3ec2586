import { invalidRequest } from '../faults.ts';
import { boolean } from '../routing/coerce.ts';

export type AuditTarget =
  | { kind: 'file'; path: string; mode: number | undefined }
  | { kind: 'stdout' }
  | { kind: 'discard' }
  | { kind: 'socket'; transport: 'tcp' | 'udp' | 'unix'; address: string };

/** An audit device, as the store keeps it. */
export interface AuditDevice {
  /** Ends in a slash: `file/`. */
  path: string;
  type: string;
  description: string;
  local: boolean;
  options: Readonly<Record<string, string>>;
  /** What masks are made with, base64. */
  key: string;
}

/** What `options` mean. */
export interface DevicePlan {
  target: AuditTarget;
  logRaw: boolean;
  maskAccessors: boolean;
  elideLists: boolean;
}

/** Options that every type takes. */
const common = ['format', 'log_raw', 'hmac_accessor', 'elide_list_responses', 'prefix'];
const own: Readonly<Record<string, readonly string[]>> = {
  file: ['file_path', 'path', 'mode'],
  socket: ['address', 'socket_type'],
};

/**
 * Reads the options of a device as Vault names them. What would do nothing here is refused by its name.
 *
 * @throws Fault `vault.request.invalid`
 */
export function planDevice(type: string, options: Readonly<Record<string, string>>): DevicePlan {
  const known = Object.hasOwn(own, type) ? own[type] : undefined;
  if (!known) throw invalidRequest(`unknown backend type: "${type}"; there are file and socket`);
  for (const name of Object.keys(options)) {
    if (!common.includes(name) && !known.includes(name))
      throw invalidRequest(`audit option ${JSON.stringify(name)} is not supported for type ${type}`);
  }
  if (options.prefix) {
    // A prefix makes the log whatever its writer likes, a script included (CVE-2025-6000).
    throw invalidRequest('audit option "prefix" is not supported');
  }
  const format = options.format ?? 'json';
  if (format !== 'json') throw invalidRequest(`unknown format type ${JSON.stringify(format)}; use json`);
  return {
    target: type === 'file' ? fileTarget(options) : socketTarget(options),
    logRaw: flag(options, 'log_raw', false),
    maskAccessors: flag(options, 'hmac_accessor', true),
    elideLists: flag(options, 'elide_list_responses', false),
  };
}

function flag(options: Readonly<Record<string, string>>, name: string, otherwise: boolean): boolean {
  const text = options[name];
  if (text === undefined || text === '') return otherwise;
  try {
    return boolean(text);
  } catch (error) {
    throw invalidRequest(`audit option ${JSON.stringify(name)} takes true or false`, error);
  }
}

function fileTarget(options: Readonly<Record<string, string>>): AuditTarget {
  const path = options.file_path || options.path;
  if (!path) throw invalidRequest('file_path is required');
  if (path === 'stdout' || path === 'discard') return { kind: path };
  const text = options.mode ?? '0600';
  const mode = /^0?[0-7]{3,4}$/.test(text) ? Number.parseInt(text, 8) : undefined;
  if (mode === undefined) throw invalidRequest(`mode ${JSON.stringify(text)} is no octal file mode`);
  if ((mode & 0o111) !== 0) throw invalidRequest('file mode does not allow an audit log to be executable');
  // 0000 leaves the mode of a file as it is.
  return { kind: 'file', path, mode: mode === 0 ? undefined : mode };
}

function socketTarget(options: Readonly<Record<string, string>>): AuditTarget {
  const { address, socket_type: transport = 'tcp' } = options;
  if (!address) throw invalidRequest('address is required');
  if (transport !== 'tcp' && transport !== 'udp' && transport !== 'unix')
    throw invalidRequest(`socket_type ${JSON.stringify(transport)} is not supported; use tcp, udp or unix`);
  if (transport !== 'unix' && !/^.+:\d{1,5}$/.test(address))
    throw invalidRequest(`address ${JSON.stringify(address)} needs a port: host:port`);
  return { kind: 'socket', transport, address };
}

/** `sys/audit` by a device's path. */
export function describeDevice({ path, type, description, local, options }: AuditDevice) {
  return { path, type, description, local, options };
}
