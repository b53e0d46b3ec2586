import type { Authority } from '../../authority/authority.ts';
import { barePem } from '../../authority/issuer.ts';
import { Fault } from '../../base/fault.ts';
import { type Certificate, readCertificate } from '../../x509/certificate.ts';
import { decodePem } from '../../x509/pem.ts';
import { type CertificateRequest, requestPem } from '../../x509/request.ts';
import { invalidRequest } from '../faults.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';
import { type AnswerFormat, caFields, readCaRequest, readFormat, readSignatureWish } from './ca-fields.ts';
import { lacksUrls, lacksUrlsWarning } from './url-warning.ts';
import { checkKeyKind, keyFields, type PkiContext, readWantedKey } from './wanted-key.ts';
import { signingIssuer, writtenKey } from './written.ts';

const { max_path_length: _, permitted_dns_domains: __, ...requestedFields } = caFields;

const requestFields = {
  ...requestedFields,
  ...keyFields,
  add_basic_constraints: 'boolean',
} as const satisfies FieldTable;

const selfIssuedFields = {
  certificate: 'text',
  require_matching_certificate_algorithms: 'boolean',
} as const satisfies FieldTable;

/** Intermediate CAs whose certificates others sign, and others' CAs that are signed here. */
export const intermediateRoutes: readonly Route<PkiContext>[] = [
  ...['intermediate/generate/:exported', 'issuers/generate/intermediate/:exported'].map((path) =>
    defineRoute<PkiContext, typeof requestFields>(path, {
      fields: requestFields,
      on: {
        update: (authority, { fields, captures }) => generateRequest(authority, captures.exported!, fields),
      },
    }),
  ),
  defineRoute('intermediate/cross-sign', {
    fields: requestFields,
    on: { update: (authority, { fields }) => generateRequest(authority, 'existing', fields) },
  }),
  defineRoute('root/sign-self-issued', {
    fields: { ...selfIssuedFields, issuer_ref: 'text' },
    sudo: true,
    on: {
      update: (authority, { fields }) => signSelfIssued(authority, fields.issuer_ref || 'default', fields),
    },
  }),
  defineRoute('issuer/:issuer_ref/sign-self-issued', {
    fields: selfIssuedFields,
    sudo: true,
    on: {
      update: (authority, { fields, captures }) => signSelfIssued(authority, captures.issuer_ref!, fields),
    },
  }),
];

async function generateRequest(
  authority: PkiContext,
  kind: string,
  fields: FieldValues<typeof requestFields>,
): Promise<Answer> {
  checkKeyKind(kind);
  const format = readFormat(fields.format);
  const { csr, key } = await authority.generateRequest({
    ...readCaRequest(fields),
    ...readSignatureWish(fields),
    key: await readWantedKey(authority, kind, fields),
    keyName: fields.key_name ?? '',
    addBasicConstraints: fields.add_basic_constraints ?? false,
  });
  // The private key leaves here, once, because the caller asked for one that is `exported`.
  const exported =
    kind === 'exported' ? writtenKey(key.privateKey, format, fields.private_key_format) : undefined;
  const text = writtenRequest(csr, format);
  return {
    data: {
      csr: format === 'pem_bundle' && exported ? `${exported.private_key}\n${text}` : text,
      key_id: key.id,
      ...exported,
    },
    warnings: lacksUrls(authority.urls()) ? [requestWarning] : [],
  };
}

const requestWarning =
  `${lacksUrlsWarning} Since this certificate is an intermediate, it might be useful to regenerate this certificate ` +
  'after fixing this problem for the root mount.';

function writtenRequest(csr: CertificateRequest, format: AnswerFormat): string {
  return format === 'der' ? csr.der.toString('base64') : requestPem(csr).trimEnd();
}

async function signSelfIssued(
  authority: Authority,
  reference: string,
  {
    certificate = '',
    require_matching_certificate_algorithms: sameKind,
  }: FieldValues<typeof selfIssuedFields>,
): Promise<Answer> {
  const given = readGiven(certificate);
  const signed = await authority.signSelfIssued(signingIssuer(authority, reference).id, given, {
    sameKind: sameKind ?? false,
  });
  return { data: { certificate: barePem(signed.certificate), issuing_ca: barePem(signed.issuer) } };
}

function readGiven(pem: string): Certificate {
  try {
    const [block] = decodePem(pem);
    if (!block) throw invalidRequest('certificate could not be PEM-decoded');
    return readCertificate(block.bytes);
  } catch (error) {
    if (!(error instanceof Fault) || error.code === 'vault.request.invalid') throw error;
    throw invalidRequest(`error parsing certificate: ${error.message}`, error);
  }
}
