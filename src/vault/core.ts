import { Fault } from '../base/fault.ts';
import type { Auditor } from './audit/auditor.ts';
import type { Exchange } from './audit/entry.ts';
import {
  asTold,
  denied,
  invalidRequest,
  noHandler,
  permissionDenied,
  unsupportedOperation,
  unsupportedPath,
} from './faults.ts';
import { grantedLease } from './lease/lease-routes.ts';
import type { Leases } from './lease/leases.ts';
import { leaseLimits } from './mount/mount.ts';
import type { Mounted, Mounts } from './mount/mounts.ts';
import type { Operation } from './policy/access-list.ts';
import type { Policies } from './policy/policies.ts';
import { mountHelp, openApiDocument, routeHelp } from './routing/api-description.ts';
import type { Answer, Caller, Captures, Match, VaultRequest } from './routing/route.ts';
import { isUsableFrom } from './token/bound-cidrs.ts';
import type { Tokens } from './token/tokens.ts';
import { vaultVersion } from './version.ts';
import { wrapReplyWhereAsked } from './wrapping/wrap-reply.ts';
import { invalidWrapping, type Wrapping } from './wrapping/wrapping.ts';
import { wrappedPaths } from './wrapping/wrapping-routes.ts';

/** What a request is answered with, and how it is to be put. */
export interface Reply {
  headers?: Readonly<Record<string, string>>;
  /** Undefined for "nothing there", which is 404 to a read or a list and 204 to anything else. */
  answer: Answer | undefined;
  dataAtTop: boolean;
  /** The type of the mount that answered. */
  mountType: string;
}

/** The server without a wire: who asks, may they, who answers. */
export interface Core {
  /** @throws Fault as `statusOf` maps it */
  handle(request: VaultRequest): Promise<Reply>;
}

export interface CoreOptions {
  tokens: Tokens;
  policies: Policies;
  mounts: Mounts;
  auditor: Auditor;
  leases: Leases;
  wrapping: Wrapping;
}

export function core(options: CoreOptions): Core {
  return new RequestCore(options);
}

class RequestCore implements Core {
  readonly #options: CoreOptions;

  constructor(options: CoreOptions) {
    this.#options = options;
  }

  async handle(request: VaultRequest): Promise<Reply> {
    checkPath(request);
    const found = this.#find(request);
    const exchange: Exchange = { request, ...(found ? { mount: found.mounted.mount } : {}) };
    try {
      let caller: Caller;
      try {
        caller = await this.#admit(exchange, found);
      } catch (error) {
        await this.#auditRefusal(exchange, error);
        throw error;
      }
      return await this.#answerAs(caller, exchange, found);
    } finally {
      const token = exchange.caller?.presented.token;
      if (token && token.numUses < 0) await this.#options.tokens.revoke(token.name);
    }
  }

  #find({ path, operation, help }: VaultRequest): Found | undefined {
    const matched =
      this.#options.mounts.match(path) ?? (help ? this.#options.mounts.match(`${path}/`) : undefined);
    return (
      matched && { mounted: matched.mounted, match: matched.mounted.engine.find(matched.rest, operation) }
    );
  }

  /** Lets the request in; `exchange` learns who asks even where they may not. */
  async #admit(exchange: Exchange, found: Found | undefined): Promise<Caller> {
    const { request } = exchange;
    if (wrappedPaths.has(request.path)) await this.#assertWrappingToken(request);
    if (found?.match?.route.open) return (exchange.caller = await this.#bestEffort(request));
    const caller = (exchange.caller = await this.#authenticate(request));
    // What a path is for may be asked by whoever has a token.
    if (request.help) return caller;
    const operation = await operationOn(request, caller, found?.match);
    exchange.request = { ...request, operation };
    authorise(caller, exchange.request, found);
    return caller;
  }

  /** The caller by their token, one use of which is spent. @throws Fault `vault.denied` */
  async #authenticate({ token: id, origin }: VaultRequest): Promise<Caller> {
    if (!id) throw permissionDenied();
    const presented = await this.#options.tokens.lookup(id);
    if (!presented) throw permissionDenied('invalid token');
    // From elsewhere it is no token, and costs none of its uses.
    if (!isUsableFrom(presented.token, origin.remoteAddress)) throw permissionDenied();
    const token = await this.#options.tokens.use(presented);
    if (!token) throw permissionDenied('invalid token');
    return { presented: { ...presented, token }, access: await this.#options.policies.access(token) };
  }

  /** On an open route a good token still tells who asks; a bad one, or none, is nobody. */
  async #bestEffort({ token: id, origin }: VaultRequest): Promise<Caller> {
    const presented = id ? await this.#options.tokens.lookup(id) : undefined;
    if (!presented || !isUsableFrom(presented.token, origin.remoteAddress)) return nobody;
    return { presented, access: await this.#options.policies.access(presented.token) };
  }

  /** @throws Fault `vault.wrapping`, `vault.denied` */
  async #assertWrappingToken({ data, token }: VaultRequest): Promise<void> {
    const wrong = (why: string) => denied(`error validating wrapping token: ${why}`);
    const given = data.token;
    if (given !== undefined && typeof given !== 'string')
      throw wrong('could not decode token in request body');
    if (given === '') throw wrong('empty token in request body');
    const id = given ?? token ?? '';
    if (id === '') throw wrong('token is empty');
    if (!(await this.#options.wrapping.find(id))) throw invalidWrapping();
  }

  /** Both lines of an exchange that ended in `error`, where the first is not written yet. */
  async #auditRefusal(exchange: Exchange, error: unknown): Promise<void> {
    const refused = { ...exchange, error: told(error) };
    await this.#options.auditor.request(refused);
    await this.#options.auditor.response(refused);
  }

  async #answerAs(caller: Caller, exchange: Exchange, found: Found | undefined): Promise<Reply> {
    await this.#options.auditor.request(exchange);
    let reply: Reply;
    try {
      reply = await wrapReplyWhereAsked(
        this.#options.wrapping,
        exchange.request,
        await this.#run(caller, exchange.request, found),
      );
    } catch (error) {
      await this.#options.auditor.response({ ...exchange, error: told(error) });
      throw found?.match?.route.open ? error : asTold(error);
    }
    await this.#options.auditor.response({ ...exchange, reply });
    return reply;
  }

  async #run(caller: Caller, request: VaultRequest, found: Found | undefined): Promise<Reply> {
    if (!found) throw noHandler(request.path);
    const { match, mounted } = found;
    if (request.help) return help(request, found);
    if (!match) throw unsupportedPath();
    if (!match.run) throw unsupportedOperation();
    const { captures, route } = match;
    const { data, path, origin, wrapTtlMs } = request;
    if (origin.method === 'HEAD' && !route.head) throw unsupportedOperation();
    const answer = await match.run({
      captures,
      data,
      path,
      caller,
      origin,
      ...(wrapTtlMs ? { wrapTtlMs } : {}),
    });
    const leased = answer && (await this.#withLease(answer, { path, caller, mounted }));
    return {
      answer: leased && withFieldWarnings(leased, request, match, captures),
      dataAtTop: route.dataAtTop,
      mountType: mounted.mount.type,
    };
  }

  async #withLease(
    { lease: grant, ...answer }: Answer,
    { path, caller, mounted }: { path: string; caller: Caller; mounted: Mounted },
  ): Promise<Answer> {
    if (!grant) return answer;
    const limits = leaseLimits(mounted.mount);
    const { lease, warnings } = await this.#options.leases.grant({
      path,
      token: caller.presented.token,
      grant,
      limits,
    });
    return {
      ...answer,
      granted: grantedLease(lease),
      warnings: [...(answer.warnings ?? []), ...warnings],
    };
  }
}

interface Found {
  mounted: Mounted;
  match: Match | undefined;
}

/** What a path is for, or a whole mount, as text and as a description for programs. */
function help({ path }: VaultRequest, { mounted: { mount, engine }, match }: Found): Reply {
  const described = { path: mount.path, type: mount.type, routes: engine.routes };
  const whole = `${path}/` === mount.path || path === mount.path;
  if (!match && !whole) throw unsupportedPath();
  const { route } = match ?? {};
  const text = route ? routeHelp(path, route) : mountHelp(described);
  const openapi = openApiDocument([route ? { ...described, routes: [route] } : described], vaultVersion);
  const body = Buffer.from(`${JSON.stringify({ help: text, see_also: null, openapi })}\n`);
  return {
    answer: { raw: { contentType: 'application/json', body } },
    dataAtTop: false,
    mountType: mount.type,
  };
}

/** What an audit log says of an error: no more than the client is told of what is not its own doing. */
function told(error: unknown): string {
  return error instanceof Fault ? error.message : 'internal error';
}

/** What an update really is: to make what is not there yet takes another capability, where the path says so. */
async function operationOn(
  request: VaultRequest,
  caller: Caller,
  match: Match | undefined,
): Promise<Operation> {
  const { operation, data, path, origin } = request;
  if (operation !== 'update' || !match?.exists) return operation;
  const { captures } = match;
  return (await match.exists({ captures, data, path, origin, caller })) ? 'update' : 'create';
}

/** Whether the caller's policies let the request through. Default is no. */
function authorise({ access }: Caller, request: VaultRequest, found: Found | undefined): void {
  const { path, operation } = request;
  if (!access.allows(request)) throw permissionDenied();
  const lower = inLowerCase(path, found);
  if (lower !== path && access.denies(lower, operation)) throw permissionDenied();
  if (found?.match?.route.sudo && !access.hasSudo(path, operation)) throw permissionDenied();
}

/** Names of policies, and of most of what auth methods keep, mean the same in capitals: a denial holds for both. */
function inLowerCase(path: string, found: Found | undefined): string {
  const start = found?.mounted.mount.path ?? '';
  return start === 'sys/' || start.startsWith('auth/')
    ? start + path.slice(start.length).toLowerCase()
    : path;
}

const nobody: Caller = {
  presented: {
    id: '',
    revision: 0,
    token: {
      name: '',
      type: 'service',
      accessor: '',
      policies: [],
      path: '',
      meta: null,
      displayName: '',
      numUses: 0,
      createdMs: 0,
      ttlMs: 0,
      explicitMaxTtlMs: 0,
      periodMs: 0,
      renewable: false,
    },
  },
  access: {
    allows: () => false,
    denies: () => false,
    hasSudo: () => false,
    capabilitiesOn: () => ['deny'],
    reachesBelow: () => false,
    grants: () => ({ root: false, exact: new Map(), prefixes: new Map() }),
  },
};

function checkPath({ path, operation }: VaultRequest): void {
  const segments = path.split('/');
  if (segments.includes('..') || segments.includes('.')) throw invalidRequest('relative paths not supported');
  if (segments.slice(0, -1).includes('')) throw unsupportedPath();
  if (path.endsWith('/') && ['update', 'create', 'patch'].includes(operation)) {
    throw invalidRequest("cannot write to a path ending in '/'");
  }
}

function withFieldWarnings(answer: Answer, request: VaultRequest, match: Match, captures: Captures): Answer {
  const { parameters, free } = match.route;
  if (free) return answer;
  const ignored = Object.keys(request.data)
    .filter((name) => !parameters.has(name) && !Object.hasOwn(captures, name))
    .toSorted();
  const replaced = Object.keys(captures).filter((name) => Object.hasOwn(request.data, name));
  if (ignored.length + replaced.length === 0) return answer;
  const warnings = [...(answer.warnings ?? [])];
  if (ignored.length > 0) {
    warnings.push(`Endpoint ignored these unrecognized parameters: [${ignored.join(' ')}]`);
  }
  if (replaced.length > 0) {
    warnings.push(
      'Endpoint replaced the value of these parameters with the values captured from the ' +
        `endpoint's path: [${replaced.join(' ')}]`,
    );
  }
  return { ...answer, warnings };
}
