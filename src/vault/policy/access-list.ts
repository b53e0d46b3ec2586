import { mergeGrants } from './merge-grants.ts';
import { parametersAllow } from './parameters.ts';
import type { Capability, Grant, Policy } from './policy.ts';

export type Operation = 'create' | 'read' | 'update' | 'delete' | 'list' | 'patch';

export interface AccessRequest {
  /** Below `/v1/`, without a leading slash; a list's path ends in one. */
  path: string;
  operation: Operation;
  /** What came in the body or the query. */
  data: Readonly<Record<string, unknown>>;
  /** For how long the answer is to be wrapped; absent for not at all. */
  wrapTtlMs?: number;
}

/** What a set of policies allows together. */
export interface AccessList {
  allows(request: AccessRequest): boolean;
  /** Whether the rule for `path` is a denial; not where there is no rule. */
  denies(path: string, operation: Operation): boolean;
  /** Whether the rule for `path` holds `sudo`, which some paths ask for besides. */
  hasSudo(path: string, operation: Operation): boolean;
  /** In Vault's order; `root`, or `deny` where there is none. */
  capabilitiesOn(path: string): string[];
  /** Everything that is granted, but for rules with `+`, which Vault leaves out too. */
  grants(): Grants;
  /** Whether anything at or below `prefix` is granted: what decides if a mount is shown to its holder. */
  reachesBelow(prefix: string): boolean;
}

/** The access of the policy `root`: everything. */
export interface Grants {
  root: boolean;
  exact: ReadonlyMap<string, Grant>;
  prefixes: ReadonlyMap<string, Grant>;
}

export const rootAccess: AccessList = {
  grants: () => ({ root: true, exact: new Map(), prefixes: new Map() }),
  allows: () => true,
  denies: () => false,
  hasSudo: () => true,
  capabilitiesOn: () => ['root'],
  reachesBelow: () => true,
};

interface SegmentRule {
  segments: readonly string[];
  /** Ends in `*`: the last segment, less its star, need only begin what remains. */
  prefix: boolean;
  firstWildcard: number;
  wildcards: number;
  text: string;
  grant: Grant;
}

/**
 * Compiles policies whose templates are filled. On a path the exact rule wins; else the one whose first wildcard comes latest, then one without
 * a trailing `*`, then the one with fewer `+`, then the longer (Vault, "Policies: priority matching"). Rules of
 * several policies on the same path merge by union, and a denial among them wins.
 */
export function accessList(policies: readonly Policy[]): AccessList {
  const exact = new Map<string, Grant>();
  const prefixes = new Map<string, Grant>();
  const segmented = new Map<string, Grant>();
  for (const rule of policies.flatMap(({ rules }) => rules)) {
    if (rule.matches === 'template') continue;
    const table = { exact, prefix: prefixes, segments: segmented }[rule.matches];
    const existing = table.get(rule.path);
    table.set(rule.path, existing ? mergeGrants(existing, rule.grant) : rule.grant);
  }
  const longestFirst = [...prefixes.keys()].toSorted((a, b) => b.length - a.length);
  const segmentRules = [...segmented].map(([path, grant]) => segmentRule(path, grant));

  function wildcardRule(path: string): SegmentRule | undefined {
    const prefix = longestFirst.find((start) => path.startsWith(start));
    const matching = segmentRules.filter((rule) => matchesSegments(rule, path));
    if (prefix !== undefined) {
      const grant = prefixes.get(prefix)!;
      matching.push({
        segments: [],
        prefix: true,
        firstWildcard: prefix.length,
        wildcards: 0,
        text: prefix,
        grant,
      });
    }
    return matching.toSorted(strongestFirst)[0];
  }

  /** A list is of a folder, whose rule may be written without the slash: one that denies it is not got around. */
  function wildcardGrant(path: string, bare: string | undefined): Grant | undefined {
    const rule = wildcardRule(path);
    const ofBare = bare === undefined ? undefined : wildcardRule(bare);
    if (!rule || !ofBare) return (rule ?? ofBare)?.grant;
    return ofBare.grant.deny && strongestFirst(ofBare, rule) < 0 ? ofBare.grant : rule.grant;
  }

  function grantOn(path: string, listing: boolean): Grant | undefined {
    const bare = listing && path.endsWith('/') ? path.slice(0, -1) : undefined;
    return exact.get(path) ?? (bare === undefined ? undefined : exact.get(bare)) ?? wildcardGrant(path, bare);
  }

  return {
    allows({ path, operation, data, wrapTtlMs = 0 }) {
      const grant = grantOn(path, operation === 'list');
      if (!grant?.capabilities.has(operation)) return false;
      if (!wrapsWithin(grant, wrapTtlMs)) return false;
      return operation === 'list' || operation === 'delete' || parametersAllow(grant, data);
    },
    denies: (path, operation) => grantOn(path, operation === 'list')?.deny ?? false,
    hasSudo: (path, operation) => grantOn(path, operation === 'list')?.capabilities.has('sudo') ?? false,
    capabilitiesOn(path) {
      return capabilitiesOf(grantOn(path, true));
    },
    grants: () => ({ root: false, exact, prefixes }),
    reachesBelow(mount) {
      const reaches = (table: ReadonlyMap<string, Grant>) =>
        [...table].some(([path, grant]) => path.startsWith(mount) && grant.capabilities.size > 0);
      const direct = grantOn(mount, true);
      if (direct && direct.capabilities.size > 0) return true;
      return reaches(exact) || reaches(prefixes) || segmentRules.some((rule) => reachesInto(rule, mount));
    },
  };
}

/** What must be wrapped may not be had in the clear, nor for longer or shorter than that. */
function wrapsWithin({ minWrappingTtlMs: least, maxWrappingTtlMs: most }: Grant, wrapTtlMs: number): boolean {
  if (least === 0 && most === 0) return true;
  if (wrapTtlMs === 0 || (most > 0 && wrapTtlMs > most)) return false;
  return wrapTtlMs >= least && (most === 0 || least <= most);
}

/** The order in which Vault reports them. */
const reportOrder: readonly Capability[] = ['sudo', 'read', 'list', 'update', 'delete', 'create', 'patch'];

/** `deny` where there are none. */
export function capabilitiesOf(grant: Grant | undefined): string[] {
  const listed = reportOrder.filter((capability) => grant?.capabilities.has(capability));
  return listed.length > 0 ? listed : ['deny'];
}

function segmentRule(path: string, grant: Grant): SegmentRule {
  const prefix = path.endsWith('*');
  const text = prefix ? path.slice(0, -1) : path;
  const segments = text.split('/');
  const wildcards = segments.filter((segment) => segment === '+').length;
  return { segments, prefix, firstWildcard: path.indexOf('+'), wildcards, text, grant };
}

function matchesSegments({ segments, prefix }: SegmentRule, path: string): boolean {
  const parts = path.split('/');
  if (parts.length < segments.length || (!prefix && parts.length > segments.length)) return false;
  return segments.every((segment, at) => {
    if (segment === '+' || segment === parts[at]) return true;
    return prefix && at === segments.length - 1 && parts[at]!.startsWith(segment);
  });
}

/** Whether some path below `mount`, which ends in a slash, can match. */
function reachesInto({ segments, prefix, grant }: SegmentRule, mount: string): boolean {
  if (grant.capabilities.size === 0) return false;
  const parts = mount.split('/').slice(0, -1);
  const last = segments.length - 1;
  return parts.every((part, at) => {
    if (at > last) return prefix;
    if (segments[at] === '+' || segments[at] === part) return at < last || prefix;
    return prefix && at === last && part.startsWith(segments[at]!);
  });
}

function strongestFirst(a: SegmentRule, b: SegmentRule): number {
  return (
    b.firstWildcard - a.firstWildcard ||
    Number(a.prefix) - Number(b.prefix) ||
    a.wildcards - b.wildcards ||
    b.text.length - a.text.length ||
    (a.text < b.text ? 1 : -1)
  );
}
