import type { Grant } from './built-in-grants.ts';
import type { RequestInfo } from './request-info.ts';

/** Who sends a request, as authentication found out. */
export interface UserInfo {
  username: string;
  uid?: string;
  groups: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
}

/** What a request wants to do: an action on resources, or a method on a path. */
export interface Attributes {
  verb: string;
  /** Only of requests about no resource. */
  path?: string;
  group?: string;
  version?: string;
  plural?: string;
  subresource?: string;
  namespace?: string;
  name?: string;
}

export interface Decision {
  allowed: boolean;
  reason: string;
}

/** A rule as RBAC writes it; `*` is anything. */
export interface PolicyRule {
  verbs: readonly string[];
  apiGroups?: readonly string[];
  /** `secrets`, `deployments/status`, `*`, `*\/status`. */
  resources?: readonly string[];
  resourceNames?: readonly string[];
  /** `/healthz`, `/apis/*`. */
  nonResourceURLs?: readonly string[];
}

/** The seam: anything that can say whether a user may do something. No opinion is "not allowed". */
export interface Authorizer {
  authorize(user: UserInfo, attributes: Attributes): Decision;
  /** The rules behind its answers that hold for `user` in `namespace`. */
  rules(user: UserInfo, namespace: string): readonly PolicyRule[];
}

export function attributesOf({ verb, path, resource, query }: RequestInfo): Attributes {
  if (!resource) return { verb, path };
  const { group, version, plural, namespace, subresource } = resource;
  // A namespace is authorised as an object in itself, so that rights in it extend to reading it.
  const own = group === '' && plural === 'namespaces' ? resource.name : namespace;
  const name = resource.name ?? selectedName(query);
  return {
    verb,
    group,
    version,
    plural,
    ...(own === undefined ? {} : { namespace: own }),
    ...(subresource === undefined ? {} : { subresource }),
    ...(name === undefined ? {} : { name }),
  };
}

/** A list or watch of exactly one name is about that name. */
function selectedName(query: URLSearchParams): string | undefined {
  return /^metadata\.name==?([^,!=]+)$/.exec(query.get('fieldSelector') ?? '')?.[1];
}

/** Why a request was refused, in upstream's words. */
export function refusal(user: UserInfo, attributes: Attributes): string {
  const who = `User ${JSON.stringify(user.username)} cannot ${attributes.verb}`;
  if (attributes.path !== undefined) return `${who} path ${JSON.stringify(attributes.path)}`;
  const { group = '', plural = '', subresource, namespace } = attributes;
  const resource = subresource ? `${plural}/${subresource}` : plural;
  const where = namespace ? `in the namespace ${JSON.stringify(namespace)}` : 'at the cluster scope';
  return `${who} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(group)} ${where}`;
}

export function ruleAllows(rule: PolicyRule, attributes: Attributes): boolean {
  if (!holds(rule.verbs, attributes.verb)) return false;
  if (attributes.path !== undefined)
    return (rule.nonResourceURLs ?? []).some((url) => pathMatches(url, attributes.path!));
  const { group = '', plural = '', subresource, name } = attributes;
  const resource = subresource ? `${plural}/${subresource}` : plural;
  const named = rule.resourceNames ?? [];
  return (
    holds(rule.apiGroups, group) &&
    (rule.resources ?? []).some(
      (one) => one === '*' || one === resource || (subresource !== undefined && one === `*/${subresource}`),
    ) &&
    (named.length === 0 || (name !== undefined && named.includes(name)))
  );
}

function holds(allowed: readonly string[] | undefined, value: string): boolean {
  return (allowed ?? []).some((one) => one === '*' || one === value);
}

function pathMatches(pattern: string, path: string): boolean {
  if (pattern === '*' || pattern === path) return true;
  return pattern.endsWith('*') && path.startsWith(pattern.slice(0, -1));
}

/** An authorizer over a static table. */
export function grantAuthorizer(grants: readonly Grant[]): Authorizer {
  return fromRules((user, namespace) =>
    grants
      .filter(
        ({ users, groups, namespaces }) =>
          (users?.includes(user.username) || groups?.some((group) => user.groups.includes(group))) &&
          (namespaces === undefined || (namespace !== undefined && namespaces.includes(namespace))),
      )
      .flatMap(({ rules }) => rules),
  );
}

/** An authorizer over whatever rules hold for a user in a namespace (none: cluster-wide). */
export function fromRules(
  rulesFor: (user: UserInfo, namespace: string | undefined) => readonly PolicyRule[],
): Authorizer {
  return {
    authorize(user, attributes) {
      const allowed = rulesFor(user, attributes.namespace).some((rule) => ruleAllows(rule, attributes));
      return { allowed, reason: '' };
    },
    rules: (user, namespace) => rulesFor(user, namespace || undefined),
  };
}

/** Allowed where any of `authorizers` allows; asked in order. */
export function anyOf(...authorizers: readonly Authorizer[]): Authorizer {
  return {
    authorize(user, attributes) {
      for (const authorizer of authorizers) {
        const decision = authorizer.authorize(user, attributes);
        if (decision.allowed) return decision;
      }
      return { allowed: false, reason: '' };
    },
    rules: (user, namespace) => authorizers.flatMap((authorizer) => authorizer.rules(user, namespace)),
  };
}
