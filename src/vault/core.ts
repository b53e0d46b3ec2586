import {
  asTold,
  invalidRequest,
  noHandler,
  permissionDenied,
  unsupportedOperation,
  unsupportedPath,
} from './faults.ts';
import type { Mounted, Mounts } from './mount/mounts.ts';
import type { Policies } from './policy/policies.ts';
import type { Answer, Caller, Captures, Match, VaultRequest } from './routing/route.ts';
import type { Tokens } from './token/tokens.ts';

/** What a request is answered with, and how it is to be put. */
export interface Reply {
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
}

export function core({ tokens, policies, mounts }: CoreOptions): Core {
  /** The caller by their token, one use of which is spent. @throws Fault `vault.denied` */
  async function authenticate({ token: id }: VaultRequest): Promise<Caller> {
    if (!id) throw permissionDenied();
    const presented = await tokens.lookup(id);
    if (!presented) throw permissionDenied('invalid token');
    const token = await tokens.use(presented);
    if (!token) throw permissionDenied('invalid token');
    return { presented: { ...presented, token }, access: await policies.access(token.policies) };
  }

  async function answerAs(caller: Caller, request: VaultRequest, found: Found | undefined): Promise<Reply> {
    authorise(caller, request, found?.match);
    try {
      return await run(caller, request, found);
    } catch (error) {
      throw asTold(error);
    }
  }

  async function run(caller: Caller, request: VaultRequest, found: Found | undefined): Promise<Reply> {
    if (!found) throw noHandler(request.path);
    const { match, mounted } = found;
    if (!match) throw unsupportedPath();
    if (!match.run) throw unsupportedOperation();
    const { captures, route } = match;
    const { data, path, origin } = request;
    if (origin.method === 'HEAD' && !route.head) throw unsupportedOperation();
    const answer = await match.run({ captures, data, path, caller, origin });
    return {
      answer: answer && withFieldWarnings(answer, request, match, captures),
      dataAtTop: route.dataAtTop,
      mountType: mounted.mount.type,
    };
  }

  interface Found {
    mounted: Mounted;
    match: Match | undefined;
  }

  function find({ path, operation }: VaultRequest): Found | undefined {
    const matched = mounts.match(path);
    return (
      matched && { mounted: matched.mounted, match: matched.mounted.engine.find(matched.rest, operation) }
    );
  }

  return {
    async handle(request) {
      checkPath(request);
      const found = find(request);
      if (found?.match?.route.open) return run(await bestEffort(request), request, found);
      const caller = await authenticate(request);
      try {
        return await answerAs(caller, request, found);
      } finally {
        if (caller.presented.token.numUses < 0) await tokens.revoke(caller.presented.token.name);
      }
    },
  };

  /** On an open route a good token still tells who asks; a bad one, or none, is nobody. */
  async function bestEffort({ token: id }: VaultRequest): Promise<Caller> {
    const presented = id ? await tokens.lookup(id) : undefined;
    if (!presented) return nobody;
    return { presented, access: await policies.access(presented.token.policies) };
  }
}

/** Whether the caller's policies let the request through. Default is no. */
function authorise({ access }: Caller, request: VaultRequest, match: Match | undefined): void {
  const { path, operation } = request;
  if (!access.allows(request)) throw permissionDenied();
  if (match?.route.sudo && !access.hasSudo(path, operation)) throw permissionDenied();
}

const nobody: Caller = {
  presented: {
    id: '',
    revision: 0,
    token: {
      name: '',
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
    hasSudo: () => false,
    capabilitiesOn: () => ['deny'],
    reachesBelow: () => false,
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
  const { parameters } = match.route;
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
