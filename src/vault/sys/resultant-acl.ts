import { type AccessList, capabilitiesOf } from '../policy/access-list.ts';
import type { Grant, ParameterValues } from '../policy/policy.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Answer, Route } from '../routing/route.ts';

/** What the caller may do, path by path: what user interfaces show or hide things by. */
export const resultantAclRoutes: readonly Route<unknown>[] = [
  defineRoute('internal/ui/resultant-acl', {
    fields: noFields,
    on: { read: (_, { caller }) => describe(caller.access) },
  }),
];

function describe(access: AccessList): Answer {
  const { root, exact, prefixes } = access.grants();
  if (root) return { data: { root } };
  return { data: { exact_paths: table(exact), glob_paths: table(prefixes), root } };
}

function table(grants: ReadonlyMap<string, Grant>): Record<string, unknown> {
  return Object.fromEntries([...grants].map(([path, grant]) => [path, shown(grant)]));
}

function shown(grant: Grant): Record<string, unknown> {
  const { minWrappingTtlMs: least, maxWrappingTtlMs: most, requiredParameters: required } = grant;
  return {
    ...parameters('allowed_parameters', grant.allowedParameters),
    capabilities: capabilitiesOf(grant).toSorted(),
    ...parameters('denied_parameters', grant.deniedParameters),
    ...(most > 0 ? { max_wrapping_ttl: most / 1_000 } : {}),
    ...(least > 0 ? { min_wrapping_ttl: least / 1_000 } : {}),
    ...(required.length > 0 ? { required_parameters: required } : {}),
  };
}

function parameters(name: string, values: ParameterValues | undefined): Record<string, unknown> {
  return values && values.size > 0 ? { [name]: Object.fromEntries(values) } : {};
}
