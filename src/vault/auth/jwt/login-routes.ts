import { describeError, Fault } from '../../../base/fault.ts';
import { denied, invalidRequest } from '../../faults.ts';
import { defineRoute } from '../../routing/define-route.ts';
import type { Route } from '../../routing/route.ts';
import { isWithin } from '../../token/bound-cidrs.ts';
import type { LoginDesk, LoginGrant } from '../login.ts';
import { namedRole } from '../named-roles.ts';
import {
  type Claims,
  checkAudience,
  checkBoundClaims,
  checkExact,
  checkGroups,
  checkTimes,
  mappedClaims,
  userOf,
} from './claims.ts';
import { type Jws, readJws } from './jws.ts';
import { type JwtConfig, type JwtConfigContext, readConfig } from './jwt-config.ts';
import { type JwtRole, jwtRole } from './jwt-role.ts';
import type { KeySet } from './key-set.ts';

export interface JwtContext extends JwtConfigContext {
  desk: LoginDesk;
  nowMs: () => number;
  keys: (config: JwtConfig) => KeySet;
}

export const loginRoutes: readonly Route<JwtContext>[] = [
  defineRoute('login', {
    fields: { role: 'text', jwt: 'text' },
    open: true,
    on: {
      update: async (context, { fields, path, origin }) => {
        const config = await readConfig(context.store);
        if (!config) throw invalidRequest('could not load configuration');
        const name = (fields.role || config.default_role).toLowerCase();
        if (name === '') throw invalidRequest('missing role');
        const role = await namedRole<JwtRole>(context.store, jwtRole, name);
        if (!role) throw invalidRequest(`role ${JSON.stringify(name)} could not be found`);
        if (!fields.jwt) throw invalidRequest('missing token');
        if (role.token_bound_cidrs.length > 0 && !isWithin(role.token_bound_cidrs, origin.remoteAddress)) {
          throw denied('permission denied');
        }
        const claims = await told('token', () => proven(context, config, role, fields.jwt!));
        const grant = await told('claims', async () => grantOf(role, name, claims));
        return context.desk(grant, { mount: context.mount(), path });
      },
    },
  }),
];

/** What a token says, once it is shown to be the issuer's, for this role and for now. */
async function proven(
  { keys, nowMs }: JwtContext,
  config: JwtConfig,
  role: JwtRole,
  token: string,
): Promise<Claims> {
  const jws = readJws(token);
  if (!isAllowed(jws, config) || !(await keys(config).verifies(jws))) {
    throw new Fault('error verifying token signature: failed to verify id token signature', {
      code: 'vault.jwt',
      blame: 'caller',
    });
  }
  const { claims } = jws;
  checkTimes(
    claims,
    {
      expirationMs: role.expiration_leeway,
      notBeforeMs: role.not_before_leeway,
      clockSkewMs: role.clock_skew_leeway,
    },
    nowMs(),
  );
  checkExact(claims, 'iss', config.bound_issuer);
  checkExact(claims, 'sub', role.bound_subject);
  checkAudience(claims, role.bound_audiences);
  return claims;
}

function isAllowed({ algorithm }: Jws, { jwt_supported_algs: allowed }: JwtConfig): boolean {
  return allowed.length === 0 || allowed.includes(algorithm);
}

function grantOf(role: JwtRole, name: string, claims: Claims): LoginGrant {
  const user = userOf(claims, role.user_claim, role.user_claim_json_pointer);
  checkBoundClaims(claims, role.bound_claims ?? {}, role.bound_claims_type === 'glob');
  checkGroups(claims, role.groups_claim);
  return {
    displayName: user,
    metadata: { ...mappedClaims(claims, role.claim_mappings ?? {}), role: name },
    internal: { role: name },
    settings: role,
  };
}

/** Whoever logs in is told what is wrong with what they sent. */
async function told<T>(what: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Fault) || !error.code.startsWith('vault.jwt')) throw error;
    throw invalidRequest(`error validating ${what}: ${describeError(error)}`, error);
  }
}
