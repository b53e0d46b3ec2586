import { invalidRequest } from '../faults.ts';
import type { TokenRole } from './token-role.ts';

/** What the policies of a new token are decided from. */
export interface PolicyRequest {
  /** Those that are asked for. */
  asked: readonly string[];
  withoutDefault: boolean;
  parent: readonly string[];
  sudo: boolean;
  role: TokenRole | undefined;
}

/**
 * The policies of a token: at most its parent's, unless the caller has sudo or a role says which may be had (Vault's
 * token store, resolveTokenPolicies).
 *
 * @throws Fault `vault.request.invalid` in Vault's words
 */
export function choosePolicies(request: PolicyRequest): string[] {
  const { parent, withoutDefault, role } = request;
  const chosen = role && restrictsPolicies(role) ? policiesByRole(request, role) : policiesByParent(request);
  if (chosen.includes('root') && !parent.includes('root')) {
    throw invalidRequest('root tokens may not be created without parent token being root');
  }
  if (chosen.includes('response-wrapping')) throw invalidRequest('cannot assign policy "response-wrapping"');
  return cleanPolicies(chosen).filter((name) => name !== 'default' || !withoutDefault);
}

function policiesByParent({ asked: given, withoutDefault, parent, sudo }: PolicyRequest): string[] {
  const asked = cleanPolicies(given);
  if (asked.length === 0) return cleanPolicies(parent);
  if (sudo) return [...asked, ...(withoutDefault ? [] : ['default'])];
  if (!asked.every((name) => parent.includes(name))) {
    throw invalidRequest('child policies must be subset of parent');
  }
  return parent.includes('default') ? [...asked, 'default'] : asked;
}

function restrictsPolicies(role: TokenRole): boolean {
  return [
    role.allowedPolicies,
    role.disallowedPolicies,
    role.allowedPoliciesGlob,
    role.disallowedPoliciesGlob,
  ].some((names) => names.length > 0);
}

function policiesByRole({ asked, withoutDefault, parent }: PolicyRequest, role: TokenRole): string[] {
  const denies = (name: string) =>
    role.disallowedPolicies.includes(name) || matchesGlob(role.disallowedPoliciesGlob, name);
  const withDefault = !withoutDefault && !role.noDefaultPolicy && !denies('default');
  const cleaned = (names: readonly string[]) =>
    cleanPolicies(withDefault && !cleanPolicies(names).includes('root') ? [...names, 'default'] : names);
  const restricted = role.allowedPolicies.length + role.allowedPoliciesGlob.length > 0;
  const allowed = cleaned(role.allowedPolicies);
  const wanted = asked.length > 0 ? cleaned(asked) : restricted ? allowed : cleaned(parent);
  if (restricted && asked.length > 0) {
    const allows = (name: string) => allowed.includes(name) || matchesGlob(role.allowedPoliciesGlob, name);
    if (!wanted.every(allows)) {
      throw invalidRequest(
        `token policies (${quoted(wanted)}) must be subset of the role's allowed policies (${quoted(allowed)}) ` +
          `or glob policies (${quoted(role.allowedPoliciesGlob)})`,
      );
    }
  }
  const denied = wanted.find(denies);
  if (denied !== undefined)
    throw invalidRequest(`token policy ${JSON.stringify(denied)} is disallowed by this role`);
  return wanted;
}

/** A list as Go's `%q` writes it. */
function quoted(names: readonly string[]): string {
  return `[${names.map((name) => JSON.stringify(name)).join(' ')}]`;
}

/** Whether one of `globs`, in which `*` stands for anything, matches `name`. */
export function matchesGlob(globs: readonly string[], name: string): boolean {
  return globs.some((glob) => {
    const parts = glob.split('*');
    if (parts.length === 1) return glob === name;
    const [first, last] = [parts[0]!, parts.at(-1)!];
    if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
      return false;
    let rest = name.slice(first.length, name.length - last.length);
    for (const part of parts.slice(1, -1)) {
      const at = rest.indexOf(part);
      if (at === -1) return false;
      rest = rest.slice(at + part.length);
    }
    return true;
  });
}

/** Lower case, sorted, each once; `root` swallows all others. */
export function cleanPolicies(names: readonly string[]): string[] {
  const clean = new Set(names.map((name) => name.trim().toLowerCase()).filter((name) => name !== ''));
  return clean.has('root') ? ['root'] : [...clean].toSorted();
}
