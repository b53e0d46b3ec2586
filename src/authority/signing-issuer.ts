import { Fault } from '../base/fault.ts';
import type { SigningKey } from '../x509/signature.ts';
import { type AiaConfig, type AiaUrls, noUrls } from './ca-request.ts';
import { findIssuer, type Holdings, issuerKey } from './holdings.ts';
import type { Issuer, IssuerUse } from './issuer.ts';
import { refused } from './refused.ts';

export interface SigningIssuer {
  issuer: Issuer;
  privateKey: SigningKey;
  /** What its certificates say of it, templates filled in. */
  urls: AiaUrls;
}

/**
 * The issuer that `reference` means, with what it takes to issue below it.
 *
 * @throws Fault `authority.issuer.absent`, `authority.issuer.usage` where it may not issue, `authority.issuer.keyless`,
 * `authority.urls.template` for templates that cannot be filled in
 */
export function issuerToSign(from: Holdings, reference: string): SigningIssuer {
  const issuer = findIssuer(from, reference);
  told('error fetching CA certificate', () => checkUse(issuer, 'issuing-certificates'));
  const urls = told('error fetching CA certificate: unable to fetch AIA URL information', () =>
    urlsOf(from, issuer),
  );
  const key = told('could not fetch the CA certificate (was one set?)', () => issuerKey(from, issuer));
  return { issuer, privateKey: key.privateKey, urls };
}

/** What went wrong, with where it did before it. */
export function told<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Fault(`${what}: ${error.message}`, { code: error.code, blame: error.blame, cause: error });
  }
}

/** @throws Fault `authority.issuer.usage` */
export function checkUse(issuer: Issuer, use: IssuerUse): void {
  if (issuer.usage.includes(use)) return;
  const named = issuer.name === '' ? '' : ` / name:${issuer.name}`;
  throw refused(
    'issuer.usage',
    `error while attempting to use issuer ${issuer.id}: requested usage ${use} for issuer [id:${issuer.id}${named}] ` +
      `but only had usage ${usageText(issuer)}`,
  );
}

/** As Vault writes it: any issuer may be read. */
export function usageText({ usage }: Pick<Issuer, 'usage'>): string {
  return [...usage, 'read-only'].join(',');
}

/** An issuer's own URLs, or the authority's. @throws Fault `authority.urls.template` */
export function urlsOf({ settings }: Holdings, issuer: Issuer | undefined): AiaUrls {
  return filledIn(issuer?.urls ?? settings.urls, settings.cluster ?? {}, issuer?.id);
}

/** The URLs by Vault's names. */
export const urlNames = {
  issuingCertificates: 'issuing_certificates',
  crlDistributionPoints: 'crl_distribution_points',
  deltaCrlDistributionPoints: 'delta_crl_distribution_points',
  ocspServers: 'ocsp_servers',
} as const satisfies Record<keyof AiaUrls, string>;

/** Puts what templates stand for into `urls`. @throws Fault `authority.urls.template` where that is not known, or no URL comes of it */
export function filledIn(
  urls: AiaConfig,
  cluster: { path?: string; aiaPath?: string },
  issuerId: string | undefined,
): AiaUrls {
  if (!urls.templates) return urls;
  if (urls.issuingCertificates.length + urls.crlDistributionPoints.length + urls.ocspServers.length === 0) {
    return noUrls;
  }
  const lacking = (what: string) => {
    throw refused('urls.template', `unable to template AIA URLs as we lack ${what}`);
  };
  const fill = (url: string) =>
    url.replaceAll(/\{\{(cluster_path|cluster_aia_path|issuer_id)\}\}/g, (_, name: string) => {
      if (name === 'issuer_id') return issuerId ?? lacking('an issuer_id for this operation');
      if (name === 'cluster_path') return cluster.path ?? lacking('local cluster address information (path)');
      return cluster.aiaPath ?? lacking('local cluster address information (aia_path)');
    });
  const filled = (part: keyof AiaUrls) => {
    const list = urls[part].map(fill);
    const bad = badUrl(list);
    if (bad === undefined) return list;
    throw refused('urls.template', `error validating templated ${urlNames[part]}; invalid URI: ${bad}`);
  };
  return {
    issuingCertificates: filled('issuingCertificates'),
    crlDistributionPoints: filled('crlDistributionPoints'),
    deltaCrlDistributionPoints: filled('deltaCrlDistributionPoints'),
    ocspServers: filled('ocspServers'),
  };
}

/** The first that is no URL, or that holds a template. */
export function badUrl(urls: readonly string[]): string | undefined {
  return urls.find(
    (url) =>
      !/^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(url) ||
      /\{\{(cluster_path|cluster_aia_path|issuer_id)\}\}/.test(url) ||
      !URL.canParse(url),
  );
}
