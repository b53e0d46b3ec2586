import type { Authority } from '../../authority/authority.ts';
import type { AiaConfig } from '../../authority/ca-request.ts';
import { checkUrls } from '../../authority/issuer-changes.ts';
import { failed } from '../faults.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';
import { urlWarnings } from './issuer-care-routes.ts';

const urlFields = {
  issuing_certificates: 'commaList',
  crl_distribution_points: 'commaList',
  delta_crl_distribution_points: 'commaList',
  ocsp_servers: 'commaList',
  enable_templating: 'boolean',
} as const satisfies FieldTable;

const clusterFields = { path: 'text', aia_path: 'text' } as const satisfies FieldTable;

/** What certificates say of where things are, and where this mount is. */
export const urlRoutes: readonly Route<Authority>[] = [
  defineRoute('config/urls', {
    fields: urlFields,
    on: {
      read: (authority) => describe(authority.urls()),
      update: (authority, { fields }) => writeUrls(authority, fields),
    },
  }),
  defineRoute('config/cluster', {
    fields: clusterFields,
    on: {
      read: (authority) => describeCluster(authority),
      update: (authority, { fields }) => writeCluster(authority, fields),
    },
  }),
];

async function writeUrls(authority: Authority, fields: FieldValues<typeof urlFields>): Promise<Answer> {
  const before = authority.urls();
  const urls: AiaConfig = {
    issuingCertificates: fields.issuing_certificates ?? before.issuingCertificates,
    crlDistributionPoints: fields.crl_distribution_points ?? before.crlDistributionPoints,
    deltaCrlDistributionPoints: fields.delta_crl_distribution_points ?? before.deltaCrlDistributionPoints,
    ocspServers: fields.ocsp_servers ?? before.ocspServers,
    templates: fields.enable_templating ?? before.templates ?? false,
  };
  checkUrls(urls);
  await authority.setUrls(urls);
  const [issuer] = authority.issuers();
  return { ...describe(urls), warnings: issuer ? urlWarnings(authority, urls, issuer.id) : [] };
}

function describe(urls: AiaConfig): Answer {
  return {
    data: {
      crl_distribution_points: urls.crlDistributionPoints,
      delta_crl_distribution_points: urls.deltaCrlDistributionPoints,
      enable_templating: urls.templates ?? false,
      issuing_certificates: urls.issuingCertificates,
      ocsp_servers: urls.ocspServers,
    },
  };
}

async function writeCluster(
  authority: Authority,
  { path, aia_path: aiaPath }: FieldValues<typeof clusterFields>,
): Promise<Answer> {
  checkAddress('path', path);
  checkAddress('aia_path', aiaPath);
  await authority.setCluster({
    ...authority.cluster(),
    ...(path === undefined ? {} : { path }),
    ...(aiaPath === undefined ? {} : { aiaPath }),
  });
  return describeCluster(authority);
}

function checkAddress(name: keyof typeof clusterFields, url: string | undefined): void {
  if (url === undefined || (/^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(url) && URL.canParse(url))) return;
  throw failed(`invalid, non-URL ${name} given to cluster: ${url}`);
}

function describeCluster(authority: Authority): Answer {
  const { path = '', aiaPath = '' } = authority.cluster();
  return { data: { aia_path: aiaPath, path } };
}
