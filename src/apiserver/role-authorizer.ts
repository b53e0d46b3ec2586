import { type ApiObject, parseObject, type StoredObject } from './api-object.ts';
import { type Authorizer, fromRules, type PolicyRule, type UserInfo } from './authorization.ts';
import type { ObjectStore } from './object-store.ts';

const group = 'rbac.authorization.k8s.io';

interface Subject {
  kind: string;
  name: string;
  namespace?: string;
}

interface Binding {
  roleRef: { kind: string; name: string };
  subjects?: Subject[];
}

interface Role {
  rules?: PolicyRule[];
}

/**
 * Roles and bindings as they are stored (https://kubernetes.io/docs/reference/access-authn-authz/rbac/). Rules add
 * up; nothing denies.
 */
export function roleAuthorizer(objects: ObjectStore): Authorizer {
  // Parsed once for as long as the stored object is the same.
  const parsed = new WeakMap<StoredObject, ApiObject>();
  const read = (stored: StoredObject): ApiObject => {
    let object = parsed.get(stored);
    if (!object) parsed.set(stored, (object = parseObject(stored)));
    return object;
  };
  const cache = (plural: string) => objects.cache({ group, plural });

  function rulesOf({ roleRef }: Binding, namespace: string | undefined): readonly PolicyRule[] {
    const role =
      roleRef.kind === 'ClusterRole'
        ? cache('clusterroles').get(roleRef.name)
        : namespace && cache('roles').get(`${namespace}/${roleRef.name}`);
    return role ? ((read(role) as Role).rules ?? []) : [];
  }

  function bound(user: UserInfo, plural: string, namespace: string | undefined): readonly PolicyRule[] {
    return cache(plural)
      .list(namespace === undefined ? '' : `${namespace}/`)
      .map((stored) => read(stored) as ApiObject & Binding)
      .filter(({ subjects = [] }) => subjects.some((subject) => isSubject(user, subject, namespace)))
      .flatMap((binding) => rulesOf(binding, namespace));
  }

  return fromRules((user, namespace) => [
    ...bound(user, 'clusterrolebindings', undefined),
    ...(namespace === undefined ? [] : bound(user, 'rolebindings', namespace)),
  ]);
}

function isSubject(
  user: UserInfo,
  { kind, name, namespace }: Subject,
  bindingNamespace: string | undefined,
): boolean {
  switch (kind) {
    case 'User':
      return user.username === name;
    case 'Group':
      return user.groups.includes(name);
    case 'ServiceAccount':
      return user.username === `system:serviceaccount:${namespace ?? bindingNamespace}:${name}`;
    default:
      return false;
  }
}
