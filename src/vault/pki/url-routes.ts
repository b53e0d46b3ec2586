import type { Authority } from '../../authority/authority.ts';
import type { AiaUrls } from '../../authority/ca-request.ts';
import { invalidRequest } from '../faults.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';

const urlFields = {
  issuing_certificates: 'commaList',
  crl_distribution_points: 'commaList',
  delta_crl_distribution_points: 'commaList',
  ocsp_servers: 'commaList',
  enable_templating: 'boolean',
} as const satisfies FieldTable;

export const urlRoutes: readonly Route<Authority>[] = [
  defineRoute('config/urls', {
    fields: urlFields,
    on: {
      read: (authority) => describe(authority.urls()),
      update: (authority, { fields }) => writeUrls(authority, fields),
    },
  }),
];

async function writeUrls(authority: Authority, fields: FieldValues<typeof urlFields>): Promise<Answer> {
  if (fields.enable_templating)
    throw invalidRequest('enable_templating is not supported: write the URLs out');
  const before = authority.urls();
  const urls: AiaUrls = {
    issuingCertificates: checked('issuing_certificates', fields) ?? before.issuingCertificates,
    crlDistributionPoints: checked('crl_distribution_points', fields) ?? before.crlDistributionPoints,
    deltaCrlDistributionPoints:
      checked('delta_crl_distribution_points', fields) ?? before.deltaCrlDistributionPoints,
    ocspServers: checked('ocsp_servers', fields) ?? before.ocspServers,
  };
  await authority.setUrls(urls);
  return describe(urls);
}

type UrlField = Exclude<keyof typeof urlFields, 'enable_templating'>;

function checked(name: UrlField, fields: FieldValues<typeof urlFields>): string[] | undefined {
  const bad = fields[name]?.find((url) => !/^[a-z][a-z0-9+.-]*:\/\/[^/]/i.test(url) || !URL.canParse(url));
  if (bad === undefined) return fields[name];
  throw invalidRequest(`invalid URL found in Authority Information Access (AIA) parameter ${name}: ${bad}`);
}

function describe(urls: AiaUrls): Answer {
  return {
    data: {
      crl_distribution_points: urls.crlDistributionPoints,
      delta_crl_distribution_points: urls.deltaCrlDistributionPoints,
      enable_templating: false,
      issuing_certificates: urls.issuingCertificates,
      ocsp_servers: urls.ocspServers,
    },
  };
}
