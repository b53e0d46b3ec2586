import { parse } from 'yaml';
import { Fault } from '../base/fault.ts';
import { SecretText } from '../base/secret.ts';

/** How to reach an API server, and as whom. */
export interface KubeAccess {
  /** `https://host:port`, with a path where the server sits behind one. */
  server: string;
  /** PEM bundle that the server's certificate must chain to; the machine's own roots where absent. */
  ca?: string;
  /** The name the server's certificate must hold where it differs from the address. */
  serverName?: string;
  /** Accept any server certificate; only where the kubeconfig says so. */
  insecure?: boolean;
  /** Client certificate chain, PEM. */
  clientCertificate?: string;
  /** PEM */
  clientKey?: SecretText;
  /** Bearer token. */
  token?: SecretText;
  /** The context's namespace. */
  namespace?: string;
}

export interface KubeconfigOptions {
  /** Context to use in place of the file's current one. */
  context?: string;
  /** Reads a file that the kubeconfig names, by the path as written there. Files are refused where absent. */
  readFile?: (path: string) => string;
}

type Section = Readonly<Record<string, unknown>>;

/** What a kubeconfig's user may hold that needs more than this client does. */
const unsupportedUserFields: Readonly<Record<string, string>> = {
  exec: 'credential plugins (exec) are not run',
  'auth-provider': 'auth-provider plugins are not run',
  username: 'basic authentication is not supported',
  password: 'basic authentication is not supported',
  as: 'impersonation is not supported',
  'as-uid': 'impersonation is not supported',
  'as-groups': 'impersonation is not supported',
  'as-user-extra': 'impersonation is not supported',
};

/**
 * The access that a kubeconfig (YAML or JSON) describes, by its current context or the one named in `options`.
 *
 * @throws Fault `kube.kubeconfig.malformed`, `kube.kubeconfig.missing` (a context, cluster, user or file that is
 *   named but not there), `kube.kubeconfig.unsupported` (exec plugins and other ways in that this client lacks).
 */
export function readKubeconfig(text: string, options: KubeconfigOptions = {}): KubeAccess {
  const config = parseYaml(text);
  const contextName = options.context ?? textField(config, 'current-context', 'the kubeconfig');
  if (!contextName) {
    throw missing('the kubeconfig has no current context', 'choose one with --context');
  }
  const context = named(config, 'contexts', 'context', contextName);
  const where = `context ${contextName}`;
  const clusterName = required(context, 'cluster', where);
  const cluster = named(config, 'clusters', 'cluster', clusterName);
  const userName = textField(context, 'user', where);
  const user = userName === undefined ? {} : named(config, 'users', 'user', userName);
  const namespace = textField(context, 'namespace', where);
  return {
    ...clusterAccess(cluster, `cluster ${clusterName}`, options),
    ...userAccess(user, `user ${userName}`, options),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

function clusterAccess(cluster: Section, where: string, options: KubeconfigOptions): KubeAccess {
  if (cluster['proxy-url']) throw unsupported(where, 'proxy-url is not supported');
  const ca = dataOrFile(cluster, 'certificate-authority', where, options);
  const serverName = textField(cluster, 'tls-server-name', where);
  return {
    server: required(cluster, 'server', where).replace(/\/+$/, ''),
    ...(ca === undefined ? {} : { ca }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(cluster['insecure-skip-tls-verify'] === true ? { insecure: true } : {}),
  };
}

function userAccess(user: Section, where: string, options: KubeconfigOptions): Partial<KubeAccess> {
  for (const [field, why] of Object.entries(unsupportedUserFields)) {
    if (user[field] !== undefined && user[field] !== null) throw unsupported(where, why);
  }
  const certificate = dataOrFile(user, 'client-certificate', where, options);
  const key = dataOrFile(user, 'client-key', where, options);
  if ((certificate === undefined) !== (key === undefined)) {
    throw malformed(
      `${where} has ${certificate ? 'a client certificate without its key' : 'a client key alone'}`,
    );
  }
  const tokenFile = textField(user, 'tokenFile', where);
  const token =
    tokenFile === undefined
      ? secretText(textField(user, 'token', where))
      : new TokenFile(() => readNamedFile(tokenFile, `tokenFile of ${where}`, options).trim());
  return {
    ...(certificate === undefined ? {} : { clientCertificate: certificate, clientKey: new SecretText(key!) }),
    ...(token === undefined ? {} : { token }),
  };
}

/** A token that is read anew each time it is needed: kubelet replaces such files long before the token expires. */
class TokenFile extends SecretText {
  readonly #read: () => string;

  constructor(read: () => string) {
    super(read());
    this.#read = read;
  }

  override reveal(): string {
    return this.#read();
  }
}

function secretText(text: string | undefined): SecretText | undefined {
  return text === undefined ? undefined : new SecretText(text);
}

function parseYaml(text: string): Section {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    // The parser's message quotes the offending line, which may hold a key: only the place is repeated.
    const [at] = /at line \d+, column \d+/.exec(String(error)) ?? [];
    throw malformed(`the kubeconfig is not YAML${at ? ` (${at})` : ''}`);
  }
  if (!isSection(document)) throw malformed('the kubeconfig is not a mapping');
  return document;
}

function named(config: Section, list: string, field: string, name: string): Section {
  const entries = config[list] ?? [];
  if (!Array.isArray(entries)) throw malformed(`${list} of the kubeconfig is not a list`);
  const entry = entries.find((candidate) => isSection(candidate) && candidate.name === name) as
    | Section
    | undefined;
  if (!entry) {
    const names = entries.flatMap((candidate) => (isSection(candidate) ? [String(candidate.name)] : []));
    throw missing(
      `the kubeconfig has no ${field} ${JSON.stringify(name)}`,
      names.length === 0 ? `add it under ${list}` : `it has ${names.join(', ')}`,
    );
  }
  const section = entry[field] ?? {};
  if (!isSection(section)) throw malformed(`${field} ${name} of the kubeconfig is not a mapping`);
  return section;
}

/** `<name>-data` (base64), else the file that `<name>` names. */
function dataOrFile(
  section: Section,
  name: string,
  where: string,
  options: KubeconfigOptions,
): string | undefined {
  const data = textField(section, `${name}-data`, where);
  if (data !== undefined) {
    if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(data)) throw malformed(`${name}-data of ${where} is not base64`);
    return Buffer.from(data, 'base64').toString('utf8');
  }
  const path = textField(section, name, where);
  return path === undefined ? undefined : readNamedFile(path, `${name} of ${where}`, options);
}

function readNamedFile(path: string, what: string, { readFile }: KubeconfigOptions): string {
  if (!readFile) throw unsupported(what, `it names the file ${path}, and files are not read here`);
  try {
    return readFile(path);
  } catch (error) {
    throw new Fault(
      `${what}: cannot read ${path}: ${error instanceof Error ? error.message : String(error)}`,
      {
        code: 'kube.kubeconfig.missing',
        blame: 'operator',
        cause: error,
      },
    );
  }
}

function required(section: Section, field: string, where: string): string {
  const value = textField(section, field, where);
  if (value === undefined) throw malformed(`${where} of the kubeconfig has no ${field}`);
  return value;
}

/** A string field; undefined where absent, null or empty, as client-go takes it. */
function textField(section: Section, field: string, where: string): string | undefined {
  const value = section[field];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw malformed(`${field} of ${where} is not a string`);
  return value;
}

function isSection(value: unknown): value is Section {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(message: string): Fault {
  return new Fault(message, { code: 'kube.kubeconfig.malformed', blame: 'operator' });
}

function missing(message: string, fix: string): Fault {
  return new Fault(message, { code: 'kube.kubeconfig.missing', blame: 'operator', fix });
}

function unsupported(where: string, why: string): Fault {
  return new Fault(`${where} of the kubeconfig cannot be used: ${why}`, {
    code: 'kube.kubeconfig.unsupported',
    blame: 'operator',
    fix: 'use a client certificate or a token',
  });
}
