import { type ApiObject, objectKey, parseObject } from './api-object.ts';
import { type Authorizer, type PolicyRule, ruleAllows, type UserInfo } from './authorization.ts';
import type { ObjectStore } from './object-store.ts';
import type { View } from './object-view.ts';
import { forbidden } from './status-errors.ts';

const group = 'rbac.authorization.k8s.io';

interface Granting {
  user: UserInfo;
  authorizer: Authorizer;
  objects: ObjectStore;
}

/**
 * Nobody may give away, by a role or a binding, what they do not have, unless they hold the verb `escalate` on the
 * role or `bind` on the role that is bound
 * (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#privilege-escalation-prevention-and-bootstrapping).
 *
 * @throws StatusFault Forbidden, naming the rules that are missing
 */
export function refuseEscalation({ type }: View, object: ApiObject, granting: Granting): void {
  if (type.group !== group) return;
  const { user, authorizer } = granting;
  const { namespace, name } = object.metadata;
  const isRole = type.plural === 'roles' || type.plural === 'clusterroles';
  const role = isRole ? { plural: type.plural, name } : roleOf(object);
  const verb = isRole ? 'escalate' : 'bind';
  const where = namespace === undefined ? {} : { namespace };
  if (authorizer.authorize(user, { verb, group, plural: role.plural, name: role.name, ...where }).allowed)
    return;
  const given = isRole ? rulesOf(object) : boundRules(granting.objects, role, namespace);
  const missing = uncovered(authorizer.rules(user, namespace ?? ''), given);
  if (missing.length === 0) return;
  const who = `user ${JSON.stringify(user.username)} (groups=${JSON.stringify(user.groups)})`;
  const rules = missing.map((rule) => JSON.stringify(rule)).join('\n');
  throw forbidden(type, name, `${who} is attempting to grant RBAC permissions not currently held:\n${rules}`);
}

function rulesOf(role: ApiObject): readonly PolicyRule[] {
  return (role['rules'] as PolicyRule[] | undefined) ?? [];
}

function roleOf(binding: ApiObject): { plural: string; name: string } {
  const { kind, name } = binding['roleRef'] as { kind: string; name: string };
  return { plural: kind === 'ClusterRole' ? 'clusterroles' : 'roles', name };
}

function boundRules(
  objects: ObjectStore,
  { plural, name }: { plural: string; name: string },
  namespace: string | undefined,
): readonly PolicyRule[] {
  const key = plural === 'roles' ? objectKey(namespace, name) : name;
  const stored = objects.cache({ group, plural }).get(key);
  // Whoever binds a role that is not there yet would have all that it holds one day.
  return stored ? rulesOf(parseObject(stored)) : [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }];
}

/** The single permissions of `wanted` that none of the rules `held` gives. */
export function uncovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(singlePermissions).filter((rule) => !held.some((own) => covers(own, rule)));
}

function singlePermissions({
  verbs,
  apiGroups = [],
  resources = [],
  resourceNames,
  nonResourceURLs = [],
}: PolicyRule): PolicyRule[] {
  const names = resourceNames?.length ? resourceNames.map((name) => ({ resourceNames: [name] })) : [{}];
  return verbs.flatMap((verb) => [
    ...apiGroups.flatMap((apiGroup) =>
      resources.flatMap((resource) =>
        names.map((named) => ({ verbs: [verb], apiGroups: [apiGroup], resources: [resource], ...named })),
      ),
    ),
    ...nonResourceURLs.map((url) => ({ verbs: [verb], nonResourceURLs: [url] })),
  ]);
}

function covers(
  own: PolicyRule,
  { verbs, apiGroups, resources, resourceNames, nonResourceURLs }: PolicyRule,
): boolean {
  const [verb] = verbs as [string];
  if (nonResourceURLs) return ruleAllows(own, { verb, path: nonResourceURLs[0]! });
  const [plural, ...below] = resources![0]!.split('/') as [string, ...string[]];
  return ruleAllows(own, {
    verb,
    group: apiGroups![0]!,
    plural,
    ...(below.length > 0 ? { subresource: below.join('/') } : {}),
    ...(resourceNames ? { name: resourceNames[0]! } : {}),
  });
}
