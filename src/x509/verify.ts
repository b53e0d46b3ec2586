import { Fault } from '../base/fault.ts';
import { type Certificate, isSelfSigned } from './certificate.ts';
import { type CertificateForm, keepsForm } from './certificate-form.ts';
import type { CertificateList } from './crl.ts';
import { dsaProblem } from './dsa-signature.ts';
import { matchesHost } from './host-name.ts';
import { comparable, formatName, sameName } from './name.ts';
import {
  type AnchorRules,
  bindingChecks,
  type Check,
  everyCertificate,
  everyIssuer,
  type LegacyAlgorithm,
  type PathState,
  type Problem,
  problem,
  signatureProblem,
} from './path-check.ts';
import type { ComparisonBudget } from './permitted-name.ts';
import { judgePolicies, type PolicyInputs } from './policy-graph.ts';
import type { Usage, UsageRules } from './purpose.ts';
import { Revocation } from './revocation.ts';

export interface VerifyOptions {
  /** Trust anchors. Their own dates, usages and limits count too, as they do for Go. */
  roots: readonly Certificate[];
  /** What may stand between; unordered, of any origin. */
  intermediates: readonly Certificate[];
  /** The instant of judgement, epoch milliseconds. */
  at: number;
  /** What the leaf is to be used for; any use where absent. */
  usage?: Usage;
  /** How strictly purposes are read; `lax` where absent. */
  usageRules?: UsageRules;
  /** The DNS name or IP address that the leaf must be for. */
  dnsName?: string;
  /** What is asked of the path's certificate policies; nothing where absent, and constraints in the path count still. */
  policies?: PolicyInputs;
  /** Which of an anchor's own statements bind the path; all where absent. */
  anchorRules?: AnchorRules;
  /** Intermediates at most, self-issued ones left out; as many as a path may have where absent. */
  maxIntermediates?: number;
  /** What the form of every certificate must keep to; nothing beyond what proofs need where absent. */
  form?: CertificateForm;
  /** Whether a leaf that is one of the roots is a path by itself; `always` where absent. */
  leafMayBeAnchor?: 'always' | 'self-signed' | 'never';
  /** Certificates that nothing may be built on, whatever else trusts them. */
  distrusted?: readonly Certificate[];
  /** Revocation lists, complete and delta; where given, every certificate but the anchor must be told not revoked. */
  revocationLists?: readonly CertificateList[];
  /** Algorithms of old that may still prove something here; none where absent. */
  legacyAlgorithms?: readonly LegacyAlgorithm[];
}

export type Verdict =
  /** The leaf first, the trust anchor last; the acceptable policies that hold along it, by object identifier. */
  | { valid: true; chain: readonly Certificate[]; policies: ReadonlySet<string> }
  /** `reason` names the certificate at fault by subject, and the dates where they matter. */
  | ({ valid: false } & Problem);

/** Signatures verified at most for one verdict; Go's limit. Cross-signed webs grow without end else. */
const signatureBudget = 100;

/** Certificates looked at for one verdict, each as often as it may be on a path; many fail before their signature. */
const candidateBudget = 1_000;

/** Comparisons of names with name constraints for one verdict; Go's limit for each certificate. */
const comparisonBudget = 250_000;

/** What is left for one verdict, those on the signers of revocation lists included. */
interface Budget extends ComparisonBudget {
  signaturesLeft: number;
  candidatesLeft: number;
}

/** Certificates in a path at most, both ends included. */
const longestPath = 16;

/**
 * Looks for a path from `leaf` to one of the roots along which every check holds (RFC 5280 section 6).
 * Where an issuer has several certificates, each is tried. A leaf that is itself a root is its own path.
 */
export function verifyChain(leaf: Certificate, options: VerifyOptions): Verdict {
  const { at, roots, intermediates, revocationLists: lists, legacyAlgorithms = [] } = options;
  const budget: Budget = {
    signaturesLeft: signatureBudget,
    candidatesLeft: candidateBudget,
    comparisonsLeft: comparisonBudget,
  };
  const revocation: Revocation | undefined =
    lists &&
    new Revocation({
      lists,
      at,
      legacyAlgorithms,
      certificates: [...intermediates, ...roots],
      isTrusted: (signer, anchor) =>
        new PathSearch(signerOptions(options, anchor), budget, revocation).verify(signer).valid,
      spend: () => budget.signaturesLeft-- > 0,
    });
  return new PathSearch(options, budget, revocation).verify(leaf);
}

/** Who signs lists must be trusted for what it is under the path's own anchor, whatever the leaf is for. */
function signerOptions(options: VerifyOptions, anchor: Certificate): VerifyOptions {
  const { usage: _, dnsName: __, policies: ___, ...rest } = options;
  return { ...rest, roots: [anchor] };
}

/** That the leaf is for `host`, where one is asked for. */
function forHost(host: string | undefined): Check {
  return (leaf) => {
    if (host === undefined || matchesHost(leaf.subjectAltNames, host)) return undefined;
    const names = leaf.subjectAltNames.flatMap(({ type, value }) =>
      type === 'dns' || type === 'ip' ? [value] : [],
    );
    const says = names.length > 0 ? `it is for ${names.join(', ')}` : 'it has no DNS name or IP address';
    return problem('host-name', leaf, `is not for ${host}: ${says}`);
  };
}

/** A path that everything holds for. */
type Found = Extract<Verdict, { valid: true }>;

class PathSearch {
  readonly #options: VerifyOptions;
  readonly #roots: ReadonlyMap<string, readonly Certificate[]>;
  readonly #intermediates: ReadonlyMap<string, readonly Certificate[]>;
  readonly #budget: Budget;
  readonly #revocation: Revocation | undefined;
  /** The failure that tells most of those met so far. */
  failure: Problem | undefined;

  constructor(options: VerifyOptions, budget: Budget, revocation: Revocation | undefined) {
    this.#options = options;
    this.#budget = budget;
    this.#revocation = revocation;
    this.#roots = Map.groupBy(options.roots, subjectKey);
    this.#intermediates = Map.groupBy(options.intermediates, subjectKey);
  }

  verify(leaf: Certificate): Verdict {
    const failure = this.refuses(leaf, [...everyCertificate, forHost(this.#options.dnsName)], []);
    if (failure) return { valid: false, ...failure };
    return this.from(leaf) ?? { valid: false, ...this.failure! };
  }

  /** A path from the leaf to a root, or undefined and `failure`. */
  from(leaf: Certificate): Found | undefined {
    return this.#isRoot(leaf) && this.#mayBeAnchor(leaf) ? this.#conclude([leaf]) : this.#extend([leaf]);
  }

  #mayBeAnchor(leaf: Certificate): boolean {
    const { leafMayBeAnchor = 'always' } = this.#options;
    return leafMayBeAnchor === 'always' || (leafMayBeAnchor === 'self-signed' && isSelfSigned(leaf));
  }

  /** What can be told of a whole path only. */
  #conclude(chain: readonly Certificate[]): Found | undefined {
    const { policies: inputs, anchorRules, legacyAlgorithms = [] } = this.#options;
    let policies: ReadonlySet<string> = new Set();
    const failure = judged(chain[0]!, () => {
      const verdict = judgePolicies(chain, inputs, anchorRules?.limits);
      if (!verdict.valid) return verdict.problem;
      policies = verdict.policies;
      return (
        (legacyAlgorithms.includes('DSA') ? dsaProblem(chain) : undefined) ?? this.#revocation?.problem(chain)
      );
    });
    if (!failure) return { valid: true, chain, policies };
    this.#note(failure);
    return undefined;
  }

  /** Depth first, likeliest issuer first. */
  #extend(path: readonly Certificate[]): Found | undefined {
    const top = path.at(-1)!;
    const candidates = this.#issuersOf(top).filter((candidate) => !isOn(path, candidate));
    if (candidates.length === 0) this.#note(noIssuer(top));
    for (const issuer of candidates) {
      if (this.#budget.candidatesLeft-- <= 0) {
        this.#note(
          problem('budget', top, `has too many possible issuers: ${candidateBudget} were looked at`),
        );
        return undefined;
      }
      const anchor = this.#isRoot(issuer);
      const failure =
        this.refuses(issuer, [...everyCertificate, ...everyIssuer], path) ??
        this.#checkSignature(top, issuer);
      if (failure) {
        this.#note(failure);
        continue;
      }
      const longer = [...path, issuer];
      if (!anchor && longer.length === longestPath)
        this.#note(problem('too-long', path[0]!, `has a path longer than ${longestPath}`));
      const found = anchor
        ? this.#conclude(longer)
        : longer.length < longestPath
          ? this.#extend(longer)
          : undefined;
      if (found) return found;
    }
    return undefined;
  }

  /** The first of `checks` that `certificate` fails when it joins `path`. */
  refuses(
    certificate: Certificate,
    checks: readonly Check[],
    path: readonly Certificate[],
  ): Problem | undefined {
    const { at, usage, usageRules = 'lax', anchorRules, distrusted, legacyAlgorithms = [] } = this.#options;
    const anchor = this.#isRoot(certificate);
    if (distrusted && isAmong(distrusted, certificate))
      return problem('distrusted', certificate, 'is distrusted');
    const state: PathState = {
      path,
      at,
      usage,
      usageRules,
      anchor,
      anchorMustSayCa: anchorRules?.mustSayCa ?? true,
      legacyAlgorithms,
      maxIntermediates: this.#options.maxIntermediates ?? longestPath,
      budget: this.#budget,
    };
    const { form } = this.#options;
    return judged(certificate, () => {
      const kept = form && keepsForm(form)(certificate, state);
      if (kept) return kept;
      for (const check of anchor ? bindingChecks(checks, anchorRules) : checks) {
        const found = check(certificate, state);
        if (found) return found;
      }
      return undefined;
    });
  }

  #checkSignature(certificate: Certificate, issuer: Certificate): Problem | undefined {
    if (this.#budget.signaturesLeft <= 0) {
      return problem(
        'budget',
        certificate,
        `has too many possible issuers: ${signatureBudget} signatures were tried`,
      );
    }
    this.#budget.signaturesLeft--;
    return judged(issuer, () => signatureProblem(certificate, issuer, this.#options.legacyAlgorithms));
  }

  /** Certificates whose subject is the issuer's name: roots first, and those of the right key identifier first. */
  #issuersOf(certificate: Certificate): Certificate[] {
    const key = comparable(certificate.issuer);
    const all = [...(this.#roots.get(key) ?? []), ...(this.#intermediates.get(key) ?? [])];
    return all
      .map((one) => ({ one, rank: keyRank(certificate, one) }))
      .toSorted((a, b) => a.rank - b.rank)
      .map(({ one }) => one);
  }

  #isRoot(certificate: Certificate): boolean {
    return isAmong(this.#roots.get(subjectKey(certificate)) ?? [], certificate);
  }

  #note(failure: Problem): void {
    if (!this.failure || telling(failure) > telling(this.failure)) this.failure = failure;
  }
}

function isAmong(certificates: readonly Certificate[], certificate: Certificate): boolean {
  return certificates.some(({ der }) => der.equals(certificate.der));
}

/** A certificate whose extensions or key turn out malformed is at fault, not the caller. */
function judged(certificate: Certificate, judge: () => Problem | undefined): Problem | undefined {
  try {
    return judge();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return problem('malformed', certificate, `cannot be judged: ${error.message}`);
  }
}

function noIssuer(certificate: Certificate): Problem {
  if (sameName(certificate.subject, certificate.issuer)) {
    return problem('unknown-authority', certificate, 'is its own issuer and none of the trusted roots');
  }
  const issuer = formatName(certificate.issuer);
  return problem(
    'unknown-authority',
    certificate,
    `is issued by ${issuer}, of which no certificate is trusted or given`,
  );
}

/** How much a failure tells: that no path went on tells least, that one was refused for a reason tells most. */
function telling({ code }: Problem): number {
  if (code === 'x509.verify.unknown-authority') return 0;
  return code === 'x509.verify.signature' ? 1 : 2;
}

/** 0 where the key identifiers agree, 1 where one is absent, 2 where they differ. A hint only: both are just said. */
function keyRank(certificate: Certificate, issuer: Certificate): number {
  try {
    const { authorityKeyId } = certificate;
    const { subjectKeyId } = issuer;
    if (!authorityKeyId || !subjectKeyId) return 1;
    return authorityKeyId.equals(subjectKeyId) ? 0 : 2;
  } catch (error) {
    if (error instanceof Fault) return 2;
    throw error;
  }
}

/** Whether the path has been here: the same name with the same key, in this certificate or another one. */
function isOn(path: readonly Certificate[], candidate: Certificate): boolean {
  return path.some((one) => one.spki.equals(candidate.spki) && sameName(one.subject, candidate.subject));
}

function subjectKey(certificate: Certificate): string {
  return comparable(certificate.subject);
}
