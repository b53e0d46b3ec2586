import type { Clock } from '../../base/clock.ts';
import { describeError } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import { denied, failed, invalidRequest, rejected } from '../faults.ts';
import { formatInstant } from '../instant.ts';
import type { Policies } from '../policy/policies.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable } from '../routing/fields.ts';
import type { Answer, Caller, RequestOrigin, Route } from '../routing/route.ts';
import { leaseLifetime } from './lifetime.ts';
import type { RenewalTerms, Renewer } from './renewal.ts';
import { type RoleContext, roleNamed, roleRoutes } from './role-routes.ts';
import { remainingSeconds, type Token } from './token.ts';
import type { TokenRole } from './token-role.ts';
import type { TokenRoles } from './token-roles.ts';
import { createFields, fewer, planToken } from './token-rules.ts';
import type { Tokens } from './tokens.ts';

/** What the paths below `auth/token/` work on. */
export interface TokenContext extends RoleContext {
  tokens: Tokens;
  policies: Policies;
  clock: Clock;
  log: Log;
  /** What renews the logins of the auth mount at `path`; undefined where none is there any more. */
  renewer: (path: string) => Renewer | undefined;
}

const tokenField = { token: 'text' } as const satisfies FieldTable;
const accessorField = { accessor: 'text' } as const satisfies FieldTable;
const renewFields = { token: 'text', increment: 'duration' } as const satisfies FieldTable;
const renewAccessorFields = { accessor: 'text', increment: 'duration' } as const satisfies FieldTable;

export const tokenRoutes: readonly Route<TokenContext>[] = [
  ...roleRoutes,
  defineRoute('accessors', { fields: noFields, sudo: true, on: { list: listAccessors } }),
  defineRoute('create-orphan', {
    fields: createFields,
    on: {
      update: (context, { fields, path, caller }) => create(context, { fields, path, caller, orphan: true }),
    },
  }),
  defineRoute('create', {
    fields: createFields,
    on: {
      update: (context, { fields, path, caller }) => create(context, { fields, path, caller, orphan: false }),
    },
  }),
  defineRoute('create/:role_name', {
    fields: createFields,
    on: {
      update: async (context, { fields, path, caller, captures }) => {
        const role = await roleNamed(context.roles, captures.role_name!);
        return create(context, { fields, path, caller, orphan: false, role });
      },
    },
  }),
  defineRoute('lookup', {
    fields: tokenField,
    on: {
      read: (context, { fields, caller }) => lookup(context, fields.token || caller.presented.id),
      update: (context, { fields, caller }) => lookup(context, fields.token || caller.presented.id),
    },
  }),
  defineRoute('lookup-self', {
    fields: tokenField,
    on: {
      read: (context, { caller }) => lookupSelf(context, caller),
      update: (context, { caller }) => lookupSelf(context, caller),
    },
  }),
  defineRoute('lookup-accessor', { fields: accessorField, on: { update: lookupAccessor } }),
  defineRoute('renew', {
    fields: renewFields,
    on: {
      update: (context, { fields, origin }) =>
        renew(context, { id: fields.token ?? '', incrementMs: fields.increment ?? 0, origin }),
    },
  }),
  defineRoute('renew-self', {
    fields: renewFields,
    on: {
      update: (context, { fields, caller, origin }) =>
        renew(context, { id: caller.presented.id, incrementMs: fields.increment ?? 0, origin }),
    },
  }),
  defineRoute('renew-accessor', { fields: renewAccessorFields, on: { update: renewAccessor } }),
  defineRoute('revoke', {
    fields: tokenField,
    on: { update: (context, { fields }) => revoke(context, fields.token ?? '') },
  }),
  defineRoute('revoke-self', {
    fields: tokenField,
    on: { update: (context, { caller }) => revoke(context, caller.presented.id) },
  }),
  defineRoute('revoke-orphan', { fields: tokenField, sudo: true, on: { update: revokeOrphan } }),
  defineRoute('tidy', { fields: noFields, on: { update: tidy } }),
  defineRoute('revoke-accessor', { fields: accessorField, on: { update: revokeAccessor } }),
];

interface CreateRequest {
  fields: Parameters<typeof planToken>[0];
  path: string;
  caller: Caller;
  orphan: boolean;
  role?: TokenRole;
}

async function create(
  context: TokenContext,
  { fields, path, caller, orphan, role }: CreateRequest,
): Promise<Answer> {
  const plan = planToken(fields, {
    parent: caller.presented.token,
    sudo: caller.access.hasSudo(path, 'update'),
    orphan,
    ...(role ? { role } : {}),
    path,
    nowMs: context.clock.now(),
    limits: context.limits(),
  });
  const { id, token } = await context.tokens.create(plan.token, plan.id);
  const missing = await context.policies.missing(token.policies);
  return {
    auth: describeAuth(token, id),
    warnings: [...plan.warnings, ...missing.map((name) => `Policy ${JSON.stringify(name)} does not exist`)],
  };
}

/** What clients take a token from: the `auth` of a login, a creation or a renewal. */
export function describeAuth(token: Token, id: string): Record<string, unknown> {
  return {
    client_token: id,
    accessor: token.accessor,
    policies: token.policies,
    token_policies: token.policies,
    metadata: token.meta,
    lease_duration: token.ttlMs / 1_000,
    renewable: token.renewable,
    entity_id: '',
    token_type: token.type,
    orphan: token.parent === undefined,
    mfa_requirement: null,
    num_uses: Math.max(0, token.numUses),
  };
}

async function lookup(context: TokenContext, id: string): Promise<Answer> {
  const found = await context.tokens.lookup(id);
  if (!found) throw denied('bad token');
  return { data: describeToken(found.token, id, context.clock.now()) };
}

/** Told from the request itself: a token at its last use may still read of itself. */
function lookupSelf({ clock }: TokenContext, { presented: { token, id } }: Caller): Answer {
  return { data: describeToken(token, id, clock.now()) };
}

async function lookupAccessor(
  { tokens, clock }: TokenContext,
  { fields }: { fields: { accessor?: string } },
): Promise<Answer> {
  return { data: describeToken(await tokenOf(tokens, fields.accessor), '', clock.now()) };
}

async function tokenOf(tokens: Tokens, accessor = ''): Promise<Token> {
  if (accessor === '') throw rejected('missing accessor');
  const token = await tokens.byAccessor(accessor);
  if (!token) throw rejected('invalid accessor');
  return token;
}

function describeToken(token: Token, id: string, nowMs: number): Record<string, unknown> {
  return {
    accessor: token.accessor,
    creation_time: token.createdMs / 1_000,
    creation_ttl: token.ttlMs / 1_000,
    display_name: token.displayName,
    entity_id: '',
    expire_time: token.expiresMs === undefined ? null : formatInstant(token.expiresMs),
    explicit_max_ttl: token.explicitMaxTtlMs / 1_000,
    id,
    issue_time: formatInstant(token.createdMs),
    ...(token.renewedMs === undefined
      ? {}
      : {
          last_renewal: formatInstant(token.renewedMs),
          last_renewal_time: Math.floor(token.renewedMs / 1_000),
        }),
    meta: token.meta,
    num_uses: Math.max(0, token.numUses),
    orphan: token.parent === undefined,
    path: token.path,
    ...(token.boundCidrs ? { bound_cidrs: token.boundCidrs } : {}),
    ...(token.periodMs > 0 ? { period: token.periodMs / 1_000 } : {}),
    policies: token.policies,
    renewable: token.renewable,
    ...(token.role === undefined ? {} : { role: token.role }),
    ttl: remainingSeconds(token, nowMs),
    type: token.type,
  };
}

interface Renewal {
  id: string;
  incrementMs: number;
  origin: RequestOrigin;
}

async function renew(context: TokenContext, renewal: Renewal): Promise<Answer> {
  if (renewal.id === '') throw invalidRequest('missing token ID');
  const found = await context.tokens.lookup(renewal.id);
  if (!found) throw invalidRequest('token not found');
  if (found.token.type === 'batch') throw invalidRequest('batch tokens cannot be renewed');
  return extend(context, found.token, renewal);
}

/** Whoever has only the accessor is not told the token. */
async function renewAccessor(
  context: TokenContext,
  {
    fields: { accessor, increment = 0 },
    origin,
  }: { fields: { accessor?: string; increment?: number }; origin: RequestOrigin },
): Promise<Answer> {
  const token = await tokenOf(context.tokens, accessor);
  return extend(context, token, { id: '', incrementMs: increment, origin });
}

async function extend(
  context: TokenContext,
  found: Token,
  { id, incrementMs, origin }: Renewal,
): Promise<Answer> {
  if (!found.renewable) throw invalidRequest('lease is not renewable');
  const terms = await renewalTerms(context, found, origin);
  const nowMs = context.clock.now();
  let warnings: string[] = [];
  let ttlMs = 0;
  const token = await context.tokens.extend(found, (current) => {
    const lastTtlMs = current.renewedTtlMs ?? current.ttlMs;
    const request = { ...current, ttlMs: lastTtlMs, ...terms, incrementMs, startMs: current.createdMs };
    ({ ttlMs, warnings } = leaseLifetime(request, terms.limits, nowMs));
    return { ...current, expiresMs: nowMs + ttlMs, renewedMs: nowMs, renewedTtlMs: ttlMs };
  });
  return { auth: { ...describeAuth(token, id), lease_duration: ttlMs / 1_000 }, warnings };
}

/** The token's own terms, but for one that came from a login, or that was made by a role. */
async function renewalTerms(
  { renewer, limits, roles }: TokenContext,
  token: Token,
  origin: RequestOrigin,
): Promise<Partial<RenewalTerms & Pick<Token, 'explicitMaxTtlMs'>> & Pick<RenewalTerms, 'limits'>> {
  if (token.role !== undefined) return { ...(await termsOfRole(roles, token)), limits: limits() };
  if (!token.login) return { limits: limits() };
  const renew = renewer(token.login.mount);
  if (!renew) throw invalidRequest('failed to renew entry: route entry not found');
  return renew(token, origin);
}

async function termsOfRole(roles: TokenRoles, token: Token) {
  const role = await roles.read(token.role!);
  if (!role) {
    throw failed(
      `failed to renew entry: original token role ${JSON.stringify(token.role)} could not be found, not renewing`,
    );
  }
  return {
    periodMs: fewer(token.periodMs, role.periodMs),
    explicitMaxTtlMs: fewer(token.explicitMaxTtlMs, role.explicitMaxTtlMs),
  };
}

async function revoke({ tokens }: TokenContext, id: string): Promise<undefined> {
  if (id === '') throw invalidRequest('missing token ID');
  const found = await tokens.lookup(id);
  if (!found) return;
  assertRevocable(found.token);
  await tokens.revoke(found.token.name);
}

function assertRevocable({ type }: Token): void {
  if (type === 'batch') throw invalidRequest('batch tokens cannot be revoked');
}

/** The children live on, as orphans. */
async function revokeOrphan(
  { tokens }: TokenContext,
  { fields: { token: id = '' } }: { fields: { token?: string } },
): Promise<undefined> {
  if (id === '') throw invalidRequest('missing token ID');
  const found = await tokens.lookup(id);
  if (!found) throw invalidRequest('token to revoke not found');
  assertRevocable(found.token);
  await tokens.revokeAlone(found.token.name);
}

async function revokeAccessor(
  { tokens }: TokenContext,
  { fields }: { fields: { accessor?: string } },
): Promise<Answer | undefined> {
  if (!fields.accessor) throw rejected('missing accessor');
  const token = await tokens.byAccessor(fields.accessor);
  if (!token) return { warnings: ['No token found with this accessor'] };
  await tokens.revoke(token.name);
  return undefined;
}

async function tidy({ tokens, log }: TokenContext): Promise<Answer> {
  tokens.tidy().then(
    (removed) => log.info('tokens are tidied', { removed }),
    (error: unknown) => log.error('tokens could not be tidied', { error: describeError(error) }),
  );
  return {
    status: 202,
    warnings: [
      "Tidy operation successfully started. Any information from the operation will be printed to Vault's server logs.",
    ],
  };
}

async function listAccessors({ tokens }: TokenContext): Promise<Answer> {
  return { data: { keys: await tokens.accessors() } };
}
