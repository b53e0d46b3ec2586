import { minuteMs } from '../base/duration.ts';
import type { Fingerprint, Inventory } from '../inventory/inventory.ts';
import { type Check, type Finding, findingsOf } from './finding.ts';
import {
  type CertificateLookup,
  certificateLookup,
  chainProblem,
  culprit,
  validityProblem,
} from './judged-certificate.ts';

const category = 'capstan-trust';

/** How long after its time a renewal counts as missed. */
const renewalGraceMs = 10 * minuteMs;

/**
 * What `linkerd check` does not look at: the trust anchors that workloads are really given, which differ from
 * those in the issuer's Secret during and after every change of the root; renewals that did not happen; and what
 * servers really present.
 */
export function capstanTrustFindings(inventory: Inventory, nowMs: number): Finding[] {
  const certificate = certificateLookup(inventory);
  return findingsOf(category, [
    trustRootsExist(inventory),
    trustRootsInTime(inventory, certificate, nowMs),
    issuerIsTrusted(inventory, certificate, nowMs),
    sameAnchors(inventory, certificate),
    bundlesInStep(inventory),
    renewedInTime(inventory, nowMs),
    ...(inventory.endpoints.length > 0 ? [servedIsTrusted(inventory, certificate, nowMs)] : []),
  ]);
}

function trustRootsExist({ trustRoots, controlNamespace }: Inventory): Check {
  return {
    id: 'capstan-trust-roots-exist',
    description: 'workloads are given trust anchors',
    severity: 'fatal',
    problem() {
      const what = `ConfigMap ${controlNamespace}/linkerd-identity-trust-roots`;
      if (!trustRoots.present) return `${what} does not exist`;
      if (trustRoots.problem !== undefined) return `ca-bundle.crt in ${what}: ${trustRoots.problem}`;
      return trustRoots.anchors.length === 0 ? `ca-bundle.crt in ${what} holds no certificate` : undefined;
    },
  };
}

function trustRootsInTime({ trustRoots }: Inventory, certificate: CertificateLookup, nowMs: number): Check {
  return {
    id: 'capstan-trust-roots-are-time-valid',
    description: 'trust anchors that workloads are given are within their validity period',
    // An expired anchor beside a good one is litter; what hangs from it shows in the checks that follow.
    severity: 'warning',
    problem: () =>
      listed(
        'outside their validity',
        trustRoots.anchors.map(certificate).flatMap((anchor) => {
          const why = validityProblem(anchor, nowMs);
          return why === undefined ? [] : [`${culprit(anchor)} ${why}`];
        }),
      ),
  };
}

function issuerIsTrusted(
  { issuer, trustRoots }: Inventory,
  certificate: CertificateLookup,
  nowMs: number,
): Check {
  return {
    id: 'capstan-issuer-cert-issued-by-trust-roots',
    description: 'issuer cert is issued by a trust anchor that workloads are given',
    severity: 'error',
    problem() {
      if (issuer.certificate === undefined) return 'there is no issuer cert to judge';
      const why = chainProblem(certificate(issuer.certificate), {
        roots: trustRoots.anchors.map(certificate),
        intermediates: issuer.intermediates.map(certificate),
        at: nowMs,
      });
      return why && `${why}: workloads that start now cannot verify what identity presents`;
    },
  };
}

function sameAnchors({ issuer, trustRoots }: Inventory, certificate: CertificateLookup): Check {
  const without = (all: readonly Fingerprint[], others: readonly Fingerprint[]) =>
    all.filter((each) => !others.includes(each)).map((each) => culprit(certificate(each)));
  return {
    id: 'capstan-trust-roots-match-issuer-secret',
    description: 'trust anchors that workloads are given are those of the issuer Secret',
    severity: 'warning',
    problem() {
      // By the scheme linkerd.io/tls the Secret holds none to compare.
      if (issuer.scheme === 'linkerd.io/tls' || issuer.problem) return undefined;
      const secretOnly = without(issuer.anchors, trustRoots.anchors);
      const configMapOnly = without(trustRoots.anchors, issuer.anchors);
      const parts = [
        listed('only in Secret linkerd-identity-issuer (ca.crt)', secretOnly),
        listed('only in ConfigMap linkerd-identity-trust-roots (ca-bundle.crt)', configMapOnly),
      ];
      const told = parts.filter((part) => part !== undefined);
      return told.length === 0 ? undefined : told.join('\n    ');
    },
  };
}

function bundlesInStep({ bundles }: Inventory): Check {
  return {
    id: 'capstan-bundles-are-synced',
    description: 'bundles are synced to their targets',
    severity: 'error',
    problem: () =>
      listed(
        'not synced',
        bundles
          .filter(({ synced }) => !synced)
          .map(({ name, message }) => `Bundle ${name} ${message}`.trim()),
      ),
  };
}

function renewedInTime({ certificateResources }: Inventory, nowMs: number): Check {
  return {
    id: 'capstan-certificates-are-renewed',
    description: 'certificates are renewed in time',
    severity: 'error',
    problem: () =>
      listed(
        'renewal missed',
        certificateResources
          .filter(({ renewalTime }) => renewalTime !== undefined && renewalTime + renewalGraceMs < nowMs)
          .map(
            ({ namespace, name, renewalTime, message }) =>
              `Certificate ${namespace}/${name} was due on ${new Date(renewalTime!).toISOString()}: ${message}`,
          ),
      ),
  };
}

function servedIsTrusted(
  { endpoints, trustRoots }: Inventory,
  certificate: CertificateLookup,
  nowMs: number,
): Check {
  return {
    id: 'capstan-served-chains-are-trusted',
    description: 'what servers present chains to a trust anchor that workloads are given',
    severity: 'error',
    problem: () =>
      listed(
        'not trusted',
        endpoints.flatMap(({ address, chain, problem }) => {
          if (problem !== undefined) return [problem];
          const [leaf, ...intermediates] = chain.map(certificate);
          if (!leaf) return [`${address} presents nothing`];
          const why = chainProblem(leaf, {
            roots: trustRoots.anchors.map(certificate),
            intermediates,
            at: nowMs,
          });
          return why === undefined ? [] : [`${address} ${culprit(leaf)} ${why}`];
        }),
      ),
  };
}

/** As `linkerd check` lists culprits. */
function listed(heading: string, culprits: readonly string[]): string | undefined {
  if (culprits.length === 0) return undefined;
  return `${heading}:\n\t${culprits.map((each) => `* ${each}`).join('\n\t')}`;
}
