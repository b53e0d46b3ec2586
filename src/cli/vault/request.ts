import { jsonText, type Value } from './value.ts';

/** One request to Vault's API. */
export interface VaultRequest {
  method: 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';
  /** Below `/v1/`. */
  path: string;
  query?: Readonly<Record<string, string | readonly string[]>>;
  body?: Value;
}

/**
 * The whole URL of a path below `/v1/`: slashes doubled or at the end fall away (so an address may end in one), and
 * what a path cannot hold is escaped, each as Go's client does.
 */
export function requestUrl(address: string, path: string, query: VaultRequest['query'] = {}): string {
  const base = new URL(address);
  const parts: string[] = [];
  for (const part of `${decodeURI(base.pathname)}/v1/${path}`.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(escapePath(part));
  }
  const pairs = Object.entries(query).flatMap(([key, values]) =>
    [values].flat().map((value) => `${escapeQuery(key)}=${escapeQuery(value)}`),
  );
  const search = pairs.length > 0 ? `?${pairs.toSorted().join('&')}` : '';
  return `${base.protocol}//${base.host}/${parts.join('/')}${search}`;
}

function escapePath(text: string): string {
  return encodeURIComponent(text)
    .replace(/%(24|26|2B|2C|3A|3B|3D|40)/g, (escaped) => decodeURIComponent(escaped))
    .replace(/[!'()*]/g, escapeCharacter);
}

function escapeQuery(text: string): string {
  return encodeURIComponent(text)
    .replaceAll('%20', '+')
    .replace(/[!'()*]/g, escapeCharacter);
}

function escapeCharacter(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}

export interface CurlSubject {
  method: string;
  url: string;
  headers: Readonly<Record<string, string | readonly string[]>>;
  body?: string;
  insecure: boolean;
  files: { ca?: string; caFolder?: string; clientCertificate?: string; clientKey?: string };
}

/** The curl command line that sends the same request; it asks for the token instead of showing it. */
export function curlCommand({ method, url, headers, body, insecure, files }: CurlSubject): string {
  const file = (option: string, path: string | undefined) =>
    path ? [`${option} ${singleQuoted(path)}`] : [];
  const headerOptions = Object.entries(headers)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([name, values]) => [values].flat().map((value) => ({ name, value })))
    .map(({ name, value }) => {
      const shown = name.toLowerCase() === 'x-vault-token' ? '$(capstan vault print token)' : value;
      return `-H "${name}: ${shown}"`;
    });
  return [
    'curl',
    ...(insecure ? ['--insecure'] : []),
    ...(method === 'GET' ? [] : [`-X ${method}`]),
    ...file('--cacert', files.ca),
    ...file('--capath', files.caFolder),
    ...file('--cert', files.clientCertificate),
    ...file('--key', files.clientKey),
    ...headerOptions,
    ...(body ? [`-d ${singleQuoted(body)}`] : []),
    JSON.stringify(url),
  ].join(' ');
}

function singleQuoted(text: string): string {
  return `'${text.replaceAll("'", `'"'"'`)}'`;
}

/** A policy rule that allows the request. */
export function policyFor({ method, path, query }: VaultRequest): string {
  const capabilities = query?.list === 'true' ? ['list'] : capabilitiesOf[method];
  const clean = path.split('/').filter(Boolean).join('/');
  return `path "${clean}" {\n  capabilities = [${capabilities.map((name) => `"${name}"`).join(', ')}]\n}`;
}

const capabilitiesOf: Record<VaultRequest['method'], readonly string[]> = {
  GET: ['read'],
  PUT: ['create', 'update'],
  POST: ['create', 'update'],
  PATCH: ['patch'],
  DELETE: ['delete'],
};

export function requestBody({ body }: VaultRequest): string | undefined {
  return body === undefined ? undefined : jsonText(body);
}
