import type { Reply } from '../core.ts';
import type { Mount } from '../mount/mount.ts';
import type { Caller, VaultRequest } from '../routing/route.ts';
import { builtinVersion } from '../version.ts';
import type { WrapInfo } from '../wrapping/wrapping.ts';
import { type Mask, maskFields, maskTexts } from './mask.ts';

/** One request and what has become of it so far. */
export interface Exchange {
  request: VaultRequest;
  /** Undefined where it is not known who asks. */
  caller?: Caller;
  /** Undefined where nothing is mounted there. */
  mount?: Mount;
  reply?: Reply;
  /** Why it was refused, or failed. */
  error?: string;
}

/** How a device writes. */
export interface EntryStyle {
  /** Masks what may be secret; undefined to log it raw. */
  mask: Mask | undefined;
  maskAccessors: boolean;
  /** Tell of a list only how long it was. */
  elideLists: boolean;
  /** Headers to log by lower-case name, and whether to mask them. */
  headers: ReadonlyMap<string, { hmac: boolean }>;
}

/**
 * A line of an audit log, without its newline: the JSON document that Vault writes for a request, or for its
 * response, which repeats the request.
 */
export function auditLine(
  type: 'request' | 'response',
  exchange: Exchange,
  style: EntryStyle,
  nowMs: number,
): string {
  const { error } = exchange;
  return JSON.stringify({
    time: new Date(nowMs).toISOString(),
    type,
    auth: describeCaller(exchange, style),
    request: describeRequest(exchange, style),
    ...(type === 'response' ? { response: describeResponse(exchange, style) } : {}),
    ...(error === undefined ? {} : { error }),
  });
}

const plain: Mask = (text) => text;

function describeCaller({ caller, error }: Exchange, style: EntryStyle) {
  if (!caller || caller.presented.id === '') return { token_type: 'default' };
  const { id, token } = caller.presented;
  return {
    client_token: (style.mask ?? plain)(id),
    accessor: accessor(token.accessor, style),
    display_name: token.displayName,
    policies: token.policies,
    token_policies: token.policies,
    ...(token.meta ? { metadata: token.meta } : {}),
    policy_results: { allowed: error === undefined },
    ...(token.numUses > 0 ? { remaining_uses: token.numUses } : {}),
    token_type: token.type,
    token_issue_time: new Date(token.createdMs).toISOString(),
    ...(token.ttlMs > 0 ? { token_ttl: token.ttlMs / 1_000 } : {}),
  };
}

function accessor(text: string, { mask, maskAccessors }: EntryStyle): string {
  return mask && maskAccessors ? mask(text) : text;
}

function describeRequest({ request, mount, caller }: Exchange, style: EntryStyle) {
  const { id, operation, token, path, data, origin, wrapTtlMs } = request;
  const mask = style.mask ?? plain;
  const held = caller?.presented.token.accessor;
  return {
    id,
    operation,
    ...describePlace(mount, 'mount_running_version'),
    ...(token ? { client_token: mask(token) } : {}),
    ...(held ? { client_token_accessor: accessor(held, style) } : {}),
    namespace: { id: 'root' },
    path,
    ...(Object.keys(data).length > 0
      ? { data: maskFields(data, mask, mount?.lists?.audit_non_hmac_request_keys) }
      : {}),
    ...(origin.remoteAddress === ''
      ? {}
      : { remote_address: origin.remoteAddress, remote_port: origin.remotePort }),
    ...(wrapTtlMs ? { wrap_ttl: wrapTtlMs / 1_000 } : {}),
    ...describeHeaders(origin.headers, style),
  };
}

function describeHeaders(headers: VaultRequest['origin']['headers'], style: EntryStyle) {
  const told = [...style.headers].flatMap(([name, { hmac }]) => {
    const values = [headers[name] ?? []].flat();
    const mask = (hmac && style.mask) || plain;
    return values.length > 0 ? [[name, values.map(mask)] as const] : [];
  });
  return told.length > 0 ? { headers: Object.fromEntries(told) } : {};
}

function describePlace(mount: Mount | undefined, versionName: string) {
  return (
    mount && {
      mount_point: mount.path,
      mount_type: mount.type,
      mount_accessor: mount.accessor,
      [versionName]: builtinVersion,
      mount_class: mount.path.startsWith('auth/') ? 'auth' : 'secret',
    }
  );
}

function describeResponse({ reply, mount, request, error }: Exchange, style: EntryStyle) {
  const place = describePlace(mount, 'mount_running_plugin_version');
  const answer = reply?.answer;
  const mask = style.mask ?? plain;
  if (error !== undefined) return { ...place, data: { error: mask(error) } };
  if (!answer) return { ...place };
  const { data, raw, warnings, auth, granted, wrap, status: _, ...rest } = answer;
  return {
    ...place,
    ...maskedAnswer(rest, style),
    ...(granted ? { secret: { lease_id: granted.lease_id } } : {}),
    ...(wrap ? { wrap_info: maskWrap(wrap, style) } : {}),
    ...(auth ? { auth: maskAuth(auth, style) } : {}),
    ...(data
      ? {
          data: maskFields(
            request.operation === 'list' ? elided(data, style) : data,
            mask,
            mount?.lists?.audit_non_hmac_response_keys,
          ),
        }
      : {}),
    ...(raw
      ? {
          data: {
            http_content_type: mask(raw.contentType),
            http_raw_body: mask(raw.body.toString('latin1')),
            http_status_code: raw.status ?? 200,
          },
        }
      : {}),
    ...(warnings && warnings.length > 0 ? { warnings } : {}),
  };
}

/** Whatever else an answer holds, such as a lease or a wrapping: nothing goes out that the log has not seen. */
function maskedAnswer(rest: Readonly<Record<string, unknown>>, { mask = plain }: EntryStyle) {
  return maskTexts(rest, mask) as Record<string, unknown>;
}

/** What is told of a new token: the token itself is masked, whom it is for is not. */
function maskAuth(auth: Readonly<Record<string, unknown>>, style: EntryStyle) {
  const { client_token: id, accessor: held, ...rest } = auth;
  return {
    ...rest,
    ...(typeof id === 'string' ? { client_token: (style.mask ?? plain)(id) } : {}),
    ...(typeof held === 'string' ? { accessor: accessor(held, style) } : {}),
  };
}

/** Where an answer was put: the token that opens it is masked, what it came from is not. */
function maskWrap(
  { token, accessor: held, wrapped_accessor: wrapped, ...rest }: WrapInfo,
  style: EntryStyle,
) {
  return {
    ...rest,
    token: (style.mask ?? plain)(token),
    accessor: accessor(held, style),
    ...(wrapped === undefined ? {} : { wrapped_accessor: accessor(wrapped, style) }),
  };
}

/** A list's keys and what is told of them as numbers. */
function elided(data: Readonly<Record<string, unknown>>, { elideLists }: EntryStyle) {
  if (!elideLists) return data;
  const count = (value: unknown) =>
    Array.isArray(value) ? value.length : Object.keys(value as Record<string, unknown>).length;
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) =>
      (name === 'keys' || name === 'key_info') && typeof value === 'object' && value !== null
        ? [name, count(value)]
        : [name, value],
    ),
  );
}
