import type { Authority } from '../../authority/authority.ts';
import type { Issuer } from '../../authority/issuer.ts';
import { certificatePem, serialText } from '../../x509/certificate.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';
import { conditional } from './modified.ts';

const pageFields = { after: 'text', limit: 'integer' } as const satisfies FieldTable;

export const issuerRoutes: readonly Route<Authority>[] = [
  defineRoute('issuers', {
    fields: pageFields,
    open: true,
    on: { list: (authority, { fields }) => listIssuers(authority, fields) },
  }),
  defineRoute('issuer/:issuer_ref/json', {
    fields: noFields,
    open: true,
    on: {
      read: (authority, { captures, origin }) => {
        const data = describe(authority, authority.issuer(captures.issuer_ref!));
        return conditional({ data }, origin, authority.issuersModifiedAt());
      },
    },
  }),
  defineRoute('issuer/:issuer_ref/pem', {
    fields: noFields,
    open: true,
    on: {
      read: (authority, { captures, origin }) => {
        const { certificate } = authority.issuer(captures.issuer_ref!);
        const raw = {
          contentType: 'application/pem-certificate-chain',
          body: Buffer.from(certificatePem(certificate)),
        };
        return conditional({ raw }, origin, authority.issuersModifiedAt());
      },
    },
  }),
  defineRoute('issuer/:issuer_ref/der', {
    fields: noFields,
    open: true,
    on: {
      read: (authority, { captures, origin }) => {
        const { certificate } = authority.issuer(captures.issuer_ref!);
        const raw = { contentType: 'application/pkix-cert', body: certificate.der };
        return conditional({ raw }, origin, authority.issuersModifiedAt());
      },
    },
  }),
];

function listIssuers(
  authority: Authority,
  { after = '', limit = 0 }: { after?: string; limit?: number },
): Answer {
  const issuers = authority
    .issuers()
    .filter(({ id }) => id > after)
    .slice(0, limit > 0 ? limit : undefined);
  const info = issuers.map((issuer) => [
    issuer.id,
    {
      is_default: issuer.id === authority.defaults().issuerId,
      issuer_name: issuer.name,
      key_id: issuer.keyId ?? '',
      serial_number: serialText(issuer.certificate.serial),
    },
  ]);
  return { data: { key_info: Object.fromEntries(info), keys: issuers.map(({ id }) => id) } };
}

/** What anyone may read of an issuer. Here PEM ends in a newline, as it does in Vault. */
function describe(authority: Authority, issuer: Issuer): Record<string, unknown> {
  return {
    ca_chain: authority.chain(issuer).map(certificatePem),
    certificate: certificatePem(issuer.certificate),
    issuer_id: issuer.id,
    issuer_name: issuer.name,
  };
}
