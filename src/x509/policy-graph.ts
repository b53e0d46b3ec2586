import type { Certificate } from './certificate.ts';
import { type Extension, findExtension } from './extension.ts';
import { sameName } from './name.ts';
import { oids } from './oid.ts';
import { type Problem, problem } from './path-problem.ts';
import {
  type Policy,
  type PolicyMapping,
  readInhibitAnyPolicy,
  readPolicies,
  readPolicyConstraints,
  readPolicyMappings,
} from './policy.ts';

/** What is asked of a path's policies from outside (RFC 5280 section 6.1.1). */
export interface PolicyInputs {
  /** Policies that the relying party accepts, by object identifier; any where absent. */
  acceptable?: readonly string[];
  /** The path must be valid under one of the acceptable policies. */
  requireExplicitPolicy?: boolean;
  inhibitPolicyMapping?: boolean;
  inhibitAnyPolicy?: boolean;
}

export type PolicyVerdict =
  /** Those of the acceptable policies that the path is valid under; `any policy` as its identifier. */
  { valid: true; policies: ReadonlySet<string> } | { valid: false; problem: Problem };

/** A policy that holds at one depth. */
interface Node {
  /** What it may be called one certificate further down. */
  expected: ReadonlySet<string>;
  /** The nodes one certificate further up that it continues, by policy. */
  parents: Set<string>;
}

type Level = Map<string, Node>;

const anyPolicy: string = oids.anyPolicy;

/**
 * Judges the policies of a whole path, leaf first, anchor last (RFC 5280 section 6.1 with the graph of RFC 9618: a
 * policy is one node at each depth however many ways lead to it, so the work is linear in the extensions' sizes).
 * Constraints of the anchor count when it has them (RFC 5937); an anchor without policies allows any.
 */
export function judgePolicies(
  path: readonly Certificate[],
  inputs: PolicyInputs = {},
  anchorConstrains = true,
): PolicyVerdict {
  const graph = new PolicyGraph(inputs);
  const leaf = path[0]!;
  const anchor = path.at(-1)!;
  if (path.length > 1 && anchorConstrains) {
    const found = graph.enterAnchor(anchor);
    if (found) return { valid: false, problem: found };
  }
  for (const certificate of path.slice(0, Math.max(1, path.length - 1)).toReversed()) {
    const found = graph.enter(certificate, certificate === leaf);
    if (found) return { valid: false, problem: found };
  }
  return graph.conclude(leaf);
}

class PolicyGraph {
  readonly #inputs: PolicyInputs;
  /** Undefined once no policy holds. */
  #levels: Level[] | undefined = [
    new Map([[anyPolicy, { expected: new Set([anyPolicy]), parents: new Set() }]]),
  ];
  /** Certificates left until each takes effect. */
  #explicit: number;
  #mapping: number;
  #any: number;

  constructor(inputs: PolicyInputs) {
    this.#inputs = inputs;
    const from = (now: boolean | undefined) => (now === true ? 0 : Number.POSITIVE_INFINITY);
    this.#explicit = from(inputs.requireExplicitPolicy);
    this.#mapping = from(inputs.inhibitPolicyMapping);
    this.#any = from(inputs.inhibitAnyPolicy);
  }

  enterAnchor(anchor: Certificate): Problem | undefined {
    if (findExtension(anchor.extensions, oids.certificatePolicies)) this.#addLevel(anchor, false);
    return this.#prepare(anchor, false);
  }

  /** RFC 5280 section 6.1.3 (d to f), then 6.1.4 for what follows. */
  enter(certificate: Certificate, isLeaf: boolean): Problem | undefined {
    this.#addLevel(certificate, isLeaf);
    if (this.#explicit === 0 && !this.#levels) return noPolicy(certificate);
    return isLeaf ? undefined : this.#prepare(certificate, true);
  }

  #addLevel(certificate: Certificate, isLeaf: boolean): void {
    const policies = extensionOf(certificate, oids.certificatePolicies, readPolicies);
    const above = this.#levels?.at(-1);
    if (!above || !policies) {
      this.#levels = undefined;
      return;
    }
    const selfIssued = sameName(certificate.subject, certificate.issuer);
    const level = nextLevel(above, policies, this.#any > 0 || (!isLeaf && selfIssued));
    this.#push(level);
  }

  #push(level: Level): void {
    if (level.size === 0) this.#levels = undefined;
    else this.#levels!.push(level);
  }

  #prepare(certificate: Certificate, counts: boolean): Problem | undefined {
    const mappings = extensionOf(certificate, oids.policyMappings, readPolicyMappings) ?? [];
    if (mappings.some((one) => one.issuerPolicy === anyPolicy || one.subjectPolicy === anyPolicy)) {
      return problem('policy', certificate, 'maps any policy, which is none to map');
    }
    this.#map(mappings);
    if (counts && !sameName(certificate.subject, certificate.issuer)) {
      // Infinity stays what it is.
      this.#explicit = Math.max(0, this.#explicit - 1);
      this.#mapping = Math.max(0, this.#mapping - 1);
      this.#any = Math.max(0, this.#any - 1);
    }
    const constraints = extensionOf(certificate, oids.policyConstraints, readPolicyConstraints);
    this.#explicit = Math.min(this.#explicit, constraints?.requireExplicitPolicy ?? this.#explicit);
    this.#mapping = Math.min(this.#mapping, constraints?.inhibitPolicyMapping ?? this.#mapping);
    this.#any = Math.min(
      this.#any,
      extensionOf(certificate, oids.inhibitAnyPolicy, readInhibitAnyPolicy) ?? this.#any,
    );
    return undefined;
  }

  /** RFC 5280 section 6.1.4 (b). */
  #map(mappings: readonly PolicyMapping[]): void {
    const level = this.#levels?.at(-1);
    if (!level || mappings.length === 0) return;
    const byIssuerPolicy = Map.groupBy(mappings, ({ issuerPolicy }) => issuerPolicy);
    for (const [policy, pairs] of byIssuerPolicy) {
      if (this.#mapping === 0) {
        level.delete(policy);
        continue;
      }
      // A policy that only any policy covered so far gets a node of its own.
      const parents = level.get(policy)?.parents ?? (level.has(anyPolicy) ? new Set([anyPolicy]) : undefined);
      const expected = new Set(pairs.map(({ subjectPolicy }) => subjectPolicy));
      if (parents) level.set(policy, { expected, parents });
    }
    if (level.size === 0) this.#levels = undefined;
  }

  /** RFC 5280 section 6.1.5: the leaf's own constraints, and the policies that are acceptable to both sides. */
  conclude(leaf: Certificate): PolicyVerdict {
    const constraints = extensionOf(leaf, oids.policyConstraints, readPolicyConstraints);
    this.#explicit = Math.max(0, this.#explicit - 1);
    if (constraints?.requireExplicitPolicy === 0) this.#explicit = 0;
    const policies = this.#acceptable(this.#authorityPolicies());
    if (this.#explicit === 0 && policies.size === 0) return { valid: false, problem: noPolicy(leaf) };
    return { valid: true, policies };
  }

  /** The anchor's names of the policies that hold down to the leaf: where a way up leaves any policy. */
  #authorityPolicies(): Set<string> {
    const found = new Set<string>();
    if (!this.#levels) return found;
    if (this.#levels.at(-1)!.has(anyPolicy)) found.add(anyPolicy);
    let reached: ReadonlySet<string> = new Set(this.#levels.at(-1)!.keys());
    for (const level of this.#levels.toReversed()) {
      const above = new Set<string>();
      for (const policy of reached) {
        for (const parent of level.get(policy)!.parents) {
          if (parent !== anyPolicy) above.add(parent);
          else if (policy !== anyPolicy) found.add(policy);
        }
      }
      reached = above;
    }
    return found;
  }

  #acceptable(authority: ReadonlySet<string>): ReadonlySet<string> {
    const { acceptable } = this.#inputs;
    if (!acceptable || acceptable.includes(anyPolicy)) return authority;
    return new Set(acceptable.filter((policy) => authority.has(policy) || authority.has(anyPolicy)));
  }
}

/** RFC 5280 section 6.1.3 (d), steps 1 and 2. */
function nextLevel(above: Level, policies: readonly Policy[], anyCounts: boolean): Level {
  const parentsOf = new Map<string, Set<string>>();
  for (const [policy, { expected }] of above) {
    for (const name of expected) parentsOf.set(name, (parentsOf.get(name) ?? new Set()).add(policy));
  }
  const level: Level = new Map();
  for (const { oid } of policies) {
    if (oid === anyPolicy) continue;
    const parents = parentsOf.get(oid) ?? (above.has(anyPolicy) ? new Set([anyPolicy]) : undefined);
    if (parents) level.set(oid, { expected: new Set([oid]), parents });
  }
  if (anyCounts && policies.some(({ oid }) => oid === anyPolicy)) {
    for (const [policy, parents] of parentsOf) {
      if (!level.has(policy)) level.set(policy, { expected: new Set([policy]), parents });
    }
  }
  return level;
}

function extensionOf<T>(
  certificate: Certificate,
  oid: string,
  read: (value: Extension['value']) => T,
): T | undefined {
  const extension = findExtension(certificate.extensions, oid);
  return extension && read(extension.value);
}

function noPolicy(certificate: Certificate): Problem {
  return problem('policy', certificate, 'is valid under no policy, and one is required');
}
