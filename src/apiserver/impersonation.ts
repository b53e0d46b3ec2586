import type { IncomingHttpHeaders } from 'node:http';
import { type Attributes, type Authorizer, refusal, type UserInfo } from './authorization.ts';
import { badRequest, forbidden } from './status-errors.ts';
import { serviceAccountGroups } from './tokens.ts';

/**
 * Whom a request is to be judged as: whoever sends it, or, with `kubectl --as`, another whom they may impersonate
 * (https://kubernetes.io/docs/reference/access-authn-authz/authentication/#user-impersonation).
 *
 * @throws StatusFault Forbidden, BadRequest
 */
export function actingUser(user: UserInfo, headers: IncomingHttpHeaders, authorizer: Authorizer): UserInfo {
  const username = one(headers['impersonate-user']);
  const uid = one(headers['impersonate-uid']);
  const groups = list(headers['impersonate-group']);
  const extra = Object.entries(headers).filter(([name]) => name.startsWith(extraPrefix));
  if (username === undefined) {
    if (uid === undefined && groups.length === 0 && extra.length === 0) return user;
    throw badRequest('requested [{UserExtra  impersonation }] without impersonating a user');
  }
  const account = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(username);
  mustAllow(
    authorizer,
    user,
    account ? accountAttributes(account[1]!, account[2]!) : attributes('users', username),
  );
  for (const group of groups) mustAllow(authorizer, user, attributes('groups', group));
  if (uid !== undefined)
    mustAllow(authorizer, user, { ...attributes('uids', uid), group: 'authentication.k8s.io' });
  for (const [name, value] of extra) {
    const key = decodeURIComponent(name.slice(extraPrefix.length));
    for (const text of list(value)) {
      mustAllow(authorizer, user, {
        ...attributes('userextras', text),
        group: 'authentication.k8s.io',
        subresource: key,
      });
    }
  }
  const own = groups.length > 0 ? groups : account ? serviceAccountGroups(account[1]!) : [];
  return {
    username,
    ...(uid === undefined ? {} : { uid }),
    groups: [
      ...new Set([
        ...own,
        username === 'system:anonymous' ? 'system:unauthenticated' : 'system:authenticated',
      ]),
    ],
    ...(extra.length > 0
      ? {
          extra: Object.fromEntries(
            extra.map(([name, value]) => [decodeURIComponent(name.slice(extraPrefix.length)), list(value)]),
          ),
        }
      : {}),
  };
}

const extraPrefix = 'impersonate-extra-';

function attributes(plural: string, name: string): Attributes {
  return { verb: 'impersonate', group: '', plural, name };
}

function accountAttributes(namespace: string, name: string): Attributes {
  return { ...attributes('serviceaccounts', name), namespace };
}

function mustAllow(authorizer: Authorizer, user: UserInfo, wanted: Attributes): void {
  if (authorizer.authorize(user, wanted).allowed) return;
  const { group = '', plural = '', name = '' } = wanted;
  throw forbidden({ group, plural }, name, refusal(user, wanted));
}

function one(value: string | string[] | undefined): string | undefined {
  return list(value)[0];
}

/** Node joins repeated headers by commas; a group's name holds none. */
function list(value: string | string[] | undefined): string[] {
  return (Array.isArray(value) ? value.join(',') : (value ?? ''))
    .split(',')
    .map((text) => text.trim())
    .filter(Boolean);
}
