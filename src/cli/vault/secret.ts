import { Fault } from '../../base/fault.ts';
import { isList, isObject, NumberText, parseJson, type Value, type ValueObject } from './value.ts';

/** What a Vault answer holds (its envelope). */
export interface Secret {
  requestId: string;
  leaseId: string;
  leaseDurationSeconds: number;
  renewable: boolean;
  data: ValueObject | null;
  warnings: readonly string[] | null;
  auth?: SecretAuth;
  wrapInfo?: WrapInfo;
}

/** The token that a login or a token creation answered. */
export interface SecretAuth {
  token: string;
  accessor: string;
  policies: readonly string[] | null;
  tokenPolicies: readonly string[] | null;
  identityPolicies: readonly string[] | null;
  metadata: ValueObject | null;
  orphan: boolean;
  entityId: string;
  leaseDurationSeconds: number;
  renewable: boolean;
  mfaRequirement: Value;
}

/** The single-use token that stands for a wrapped answer. */
export interface WrapInfo {
  token: string;
  accessor: string;
  ttlSeconds: number;
  creationTime: string;
  creationPath: string;
  wrappedAccessor: string;
}

/**
 * Reads an answer's body; undefined for an empty one, and for one that holds nothing but `errors`. A document that
 * is no envelope becomes the secret's data.
 *
 * @throws Fault `vault-client.body` where it is no JSON object.
 */
export function parseSecret(body: string): Secret | undefined {
  if (body === '') return undefined;
  const document = parseDocument(body);
  const secret: Secret = {
    requestId: text(document.request_id),
    leaseId: text(document.lease_id),
    leaseDurationSeconds: number(document.lease_duration),
    renewable: document.renewable === true,
    data: isObject(document.data) ? document.data : null,
    warnings: isList(document.warnings) ? document.warnings.map(text) : null,
    ...(isObject(document.auth) ? { auth: parseAuth(document.auth) } : {}),
    ...(isObject(document.wrap_info) ? { wrapInfo: parseWrapInfo(document.wrap_info) } : {}),
  };
  const blank =
    !secret.requestId &&
    !secret.leaseId &&
    !secret.leaseDurationSeconds &&
    !secret.renewable &&
    !secret.data &&
    !secret.warnings &&
    !secret.auth &&
    !secret.wrapInfo;
  if (!blank) return secret;
  const keys = Object.keys(document);
  if (!keys.includes('errors')) return keys.length > 0 ? { ...secret, data: document } : secret;
  if (keys.length === 1) return undefined;
  throw new Fault(isList(document.errors) ? document.errors.map(text).join(' ') : '', {
    code: 'vault-client.answer',
    blame: 'peer',
  });
}

/**
 * Reads a JSON object.
 *
 * @throws Fault `vault-client.body`, in the words of Vault's own client, which people look up
 */
export function parseDocument(body: string): ValueObject {
  let document: Value;
  try {
    document = parseJson(body);
  } catch (cause) {
    throw new Fault(whyNotJson(body), { code: 'vault-client.body', blame: 'peer', cause });
  }
  if (isObject(document)) return document;
  const found = isList(document) ? 'array' : document instanceof NumberText ? 'number' : typeof document;
  const name = found.replace('boolean', 'bool');
  throw new Fault(`json: cannot unmarshal ${name} into Go value of type map[string]interface {}`, {
    code: 'vault-client.body',
    blame: 'peer',
  });
}

/** What Vault's own client says of PEM, HTML and other bodies that are no JSON. */
export function whyNotJson(body: string): string {
  const start = body.trimStart();
  if (start === '') return 'EOF';
  const [first, second] = start;
  if (first === '-') return `invalid character '${second ?? ''}' in numeric literal`;
  if (/[{["0-9tfn]/.test(first!)) return 'the JSON document is malformed';
  return `invalid character '${first}' looking for beginning of value`;
}

function parseAuth(auth: ValueObject): SecretAuth {
  return {
    token: text(auth.client_token),
    accessor: text(auth.accessor),
    policies: strings(auth.policies),
    tokenPolicies: strings(auth.token_policies),
    identityPolicies: strings(auth.identity_policies),
    metadata: isObject(auth.metadata) ? auth.metadata : null,
    orphan: auth.orphan === true,
    entityId: text(auth.entity_id),
    leaseDurationSeconds: number(auth.lease_duration),
    renewable: auth.renewable === true,
    mfaRequirement: auth.mfa_requirement ?? null,
  };
}

function parseWrapInfo(info: ValueObject): WrapInfo {
  return {
    token: text(info.token),
    accessor: text(info.accessor),
    ttlSeconds: number(info.ttl),
    creationTime: text(info.creation_time),
    creationPath: text(info.creation_path),
    wrappedAccessor: text(info.wrapped_accessor),
  };
}

export function text(value: Value | undefined): string {
  return typeof value === 'string' ? value : '';
}

export function number(value: Value | undefined): number {
  return value instanceof NumberText ? Number(value.text) : 0;
}

export function strings(value: Value | undefined): readonly string[] | null {
  return isList(value) ? value.map(text) : null;
}

/** The secret as a JSON document, its fields in the order that Vault's client prints them. */
export function secretDocument(secret: Secret): Value {
  const document = new Map<string, Value>([
    ['request_id', secret.requestId],
    ['lease_id', secret.leaseId],
    ['lease_duration', secret.leaseDurationSeconds],
    ['renewable', secret.renewable],
    ['data', secret.data],
    ['warnings', secret.warnings],
  ]);
  if (secret.auth) document.set('auth', authDocument(secret.auth));
  if (secret.wrapInfo) document.set('wrap_info', wrapInfoDocument(secret.wrapInfo));
  return document;
}

function authDocument(auth: SecretAuth): Value {
  return new Map<string, Value>([
    ['client_token', auth.token],
    ['accessor', auth.accessor],
    ['policies', auth.policies],
    ['token_policies', auth.tokenPolicies],
    ['identity_policies', auth.identityPolicies],
    ['metadata', auth.metadata],
    ['orphan', auth.orphan],
    ['entity_id', auth.entityId],
    ['lease_duration', auth.leaseDurationSeconds],
    ['renewable', auth.renewable],
    ['mfa_requirement', auth.mfaRequirement],
  ]);
}

function wrapInfoDocument(info: WrapInfo): Value {
  return new Map<string, Value>([
    ['token', info.token],
    ['accessor', info.accessor],
    ['ttl', info.ttlSeconds],
    ['creation_time', info.creationTime],
    ['creation_path', info.creationPath],
    ['wrapped_accessor', info.wrappedAccessor],
  ]);
}

/** The value that `-field=name` asks for; undefined where the secret has none. */
export function fieldOf(secret: Secret, name: string): Value | undefined {
  const { auth, wrapInfo, data } = secret;
  const special: Record<string, Value> = auth
    ? {
        token: auth.token,
        token_accessor: auth.accessor,
        token_duration: auth.leaseDurationSeconds,
        token_renewable: auth.renewable,
        token_policies: auth.tokenPolicies ?? [],
        identity_policies: auth.identityPolicies ?? [],
        policies: auth.policies ?? [],
      }
    : wrapInfo
      ? {
          wrapping_token: wrapInfo.token,
          wrapping_accessor: wrapInfo.accessor,
          wrapping_token_ttl: wrapInfo.ttlSeconds,
          wrapping_token_creation_time: wrapInfo.creationTime,
          wrapping_token_creation_path: wrapInfo.creationPath,
          wrapped_accessor: wrapInfo.wrappedAccessor,
        }
      : {
          lease_duration: secret.leaseDurationSeconds,
          lease_id: secret.leaseId,
          request_id: secret.requestId,
          renewable: secret.renewable,
          refresh_interval: secret.leaseDurationSeconds,
          data: (data && own(data, 'data')) ?? data ?? {},
        };
  const value = own(special, name) ?? (data ? own(data, name) : undefined);
  return value === null ? undefined : value;
}

function own(record: ValueObject, key: string): Value | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}
