import type { Inventory, IssuerProblem } from '../inventory/inventory.ts';
import type { Certificate } from '../x509/certificate.ts';
import { type Check, type Finding, findingsOf } from './finding.ts';
import {
  anchorAlgorithmProblem,
  certificateLookup,
  chainProblem,
  culprit,
  expiryProblem,
  issuerAlgorithmProblem,
  validityProblem,
} from './judged-certificate.ts';

const category = 'linkerd-identity';
const hintBase = 'https://linkerd.io/2/checks/#';

/**
 * The category linkerd-identity of `linkerd check`: the same checks in the same order and words, on the same
 * objects. Like the original it takes the trust anchors from the Secret, where that holds them.
 */
export function linkerdIdentityFindings(inventory: Inventory, nowMs: number): Finding[] {
  const { issuer, trustRoots } = inventory;
  const certificate = certificateLookup(inventory);
  // By the scheme linkerd.io/tls the Secret holds no anchors; what workloads are given stands in for the chart's.
  const anchors =
    issuer.anchors.length > 0 || issuer.scheme !== 'linkerd.io/tls' ? issuer.anchors : trustRoots.anchors;
  return findingsOf(
    category,
    checksOf({
      problem: issuer.problem && problemText(issuer.problem, issuer.scheme !== 'linkerd.io/tls'),
      // Only looked at once there is no problem.
      issuer: () => certificate(issuer.certificate!),
      intermediates: () => issuer.intermediates.map(certificate),
      anchors: () => anchors.map(certificate),
      nowMs,
    }),
    hintBase,
  );
}

interface Judged {
  problem: string | undefined;
  issuer: () => Certificate;
  intermediates: () => Certificate[];
  anchors: () => Certificate[];
  nowMs: number;
}

function checksOf({ problem, issuer, intermediates, anchors, nowMs }: Judged): Check[] {
  const eachAnchor = (heading: string, judge: (anchor: Certificate) => string | undefined) => () => {
    const culprits = anchors().flatMap((anchor) => {
      const why = judge(anchor);
      return why === undefined ? [] : [`* ${culprit(anchor)} ${why}`];
    });
    return culprits.length === 0 ? undefined : `${heading}:\n\t${culprits.join('\n\t')}`;
  };
  const ofIssuer = (opening: string, judge: (certificate: Certificate) => string | undefined) => () => {
    const why = judge(issuer());
    return why === undefined ? undefined : `${opening} ${why}`;
  };
  return [
    {
      id: 'l5d-identity-cert-config-valid',
      description: 'certificate config is valid',
      severity: 'fatal',
      problem: () => problem,
    },
    {
      id: 'l5d-identity-trustAnchors-use-supported-crypto',
      description: 'trust anchors are using supported crypto algorithm',
      severity: 'fatal',
      problem: eachAnchor('Invalid trustAnchors', anchorAlgorithmProblem),
    },
    {
      id: 'l5d-identity-trustAnchors-are-time-valid',
      description: 'trust anchors are within their validity period',
      severity: 'fatal',
      problem: eachAnchor('Invalid anchors', (anchor) => validityProblem(anchor, nowMs)),
    },
    {
      id: 'l5d-identity-trustAnchors-not-expiring-soon',
      description: 'trust anchors are valid for at least 60 days',
      severity: 'warning',
      problem: eachAnchor('Anchors expiring soon', (anchor) => expiryProblem(anchor, nowMs)),
    },
    {
      id: 'l5d-identity-issuer-cert-uses-supported-crypto',
      description: 'issuer cert is using supported crypto algorithm',
      severity: 'fatal',
      problem: ofIssuer('issuer certificate', issuerAlgorithmProblem),
    },
    {
      id: 'l5d-identity-issuer-cert-is-time-valid',
      description: 'issuer cert is within its validity period',
      severity: 'fatal',
      problem: ofIssuer('issuer certificate is', (certificate) => validityProblem(certificate, nowMs)),
    },
    {
      id: 'l5d-identity-issuer-cert-not-expiring-soon',
      description: 'issuer cert is valid for at least 60 days',
      severity: 'warning',
      problem: ofIssuer('issuer certificate', (certificate) => expiryProblem(certificate, nowMs)),
    },
    {
      id: 'l5d-identity-issuer-cert-issued-by-trust-anchor',
      description: 'issuer cert is issued by the trust anchor',
      severity: 'error',
      problem: () => chainProblem(issuer(), { roots: anchors(), intermediates: intermediates(), at: nowMs }),
    },
  ];
}

const secretName = 'linkerd-identity-issuer';

function problemText(problem: IssuerProblem, external: boolean): string {
  switch (problem.kind) {
    case 'secret absent':
      return `secrets ${JSON.stringify(secretName)} not found`;
    case 'entry absent': {
      // The original names the flag as set when it misses the key of either scheme.
      const flag = external || problem.holds === 'issuer key';
      return `key ${problem.key} containing the ${problem.holds} needs to exist in secret ${secretName} if --identity-external-issuer=${flag}`;
    }
    case 'certificate unreadable':
      return `could not parse issuer certificate: ${problem.detail}`;
    case 'key of another certificate':
      return 'tls: Public and private key do not match';
    default:
      return problem.detail;
  }
}
