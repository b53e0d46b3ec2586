import type { Authority } from '../../authority/authority.ts';
import type { CertificateFilter, CertificatePage, Moment } from '../../authority/certificate-search.ts';
import { describeError, Fault } from '../../base/fault.ts';
import { type Certificate, serialText } from '../../x509/certificate.ts';
import type { KeySpec } from '../../x509/key.ts';
import { commonName, formatName } from '../../x509/name.ts';
import { curves, mldsa } from '../../x509/spki.ts';
import { invalidRequest } from '../faults.ts';
import { formatInstant } from '../instant.ts';
import { durationMs, instantMs } from '../routing/coerce.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';

const fields = {
  after: 'text',
  limit: 'integer',
  issuer_ref: 'text',
  expires_before: 'text',
  expires_after: 'text',
  revoked: 'boolean',
} as const satisfies FieldTable;

type Fields = FieldValues<typeof fields>;

/** What issued certificates say; with the filters, which are beyond Vault, those among them that are asked for. */
export const detailedRoutes: readonly Route<Authority>[] = [
  defineRoute('certs/detailed', {
    fields,
    on: {
      list: async (authority, { fields: given }) => {
        const { after, limit = 0 } = given;
        const range = { ...(after ? { after } : {}), ...(limit > 0 ? { limit } : {}) };
        const filter = filterOf(given);
        if (Object.keys(filter).length === 0) return { data: detailed(await authority.certificates(range)) };
        return found(await authority.search(filter, range));
      },
    },
  }),
];

function filterOf({ issuer_ref: issuer, expires_before, expires_after, revoked }: Fields): CertificateFilter {
  return {
    ...(issuer ? { issuer } : {}),
    ...(expires_before ? { endsBefore: moment('expires_before', expires_before) } : {}),
    ...(expires_after ? { endsAfter: moment('expires_after', expires_after) } : {}),
    ...(revoked === undefined ? {} : { revoked }),
  };
}

/** A time, or how long until it. @throws Fault `vault.request.invalid` */
function moment(field: keyof Fields, text: string): Moment {
  try {
    return /^\d{4}-/.test(text) ? { atMs: instantMs(text) } : { fromNowMs: durationMs(text) };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw invalidRequest(
      `Field validation failed: error converting input for field ${JSON.stringify(field)}: ${describeError(error)}`,
      error,
    );
  }
}

/** The warning lets an empty page be told from the last one, also by clients that go by statuses alone. */
function found({ certificates, next }: CertificatePage): Answer {
  if (next === undefined) return { data: detailed(certificates) };
  const warnings = [`There may be more certificates: go on with after=${next}`];
  return { data: { ...detailed(certificates), next }, ...(certificates.length === 0 ? { warnings } : {}) };
}

/** As many DNS names as OpenBao shows. */
const shownNames = 5;

function detailed(certificates: readonly Certificate[]): Record<string, unknown> {
  const info = certificates.map((certificate) => {
    const dnsNames = certificate.subjectAltNames.flatMap((name) => (name.type === 'dns' ? [name.value] : []));
    return [
      serialText(certificate.serial),
      {
        common_name: commonName(certificate.subject) ?? '',
        dns_names: dnsNames.length > 0 ? dnsNames.slice(0, shownNames) : null,
        issuer: formatName(certificate.issuer),
        ...keyKind(certificate.publicKey.spec),
        not_after: formatInstant(certificate.notAfter),
        not_before: formatInstant(certificate.notBefore),
      },
    ] as const;
  });
  return { key_info: Object.fromEntries(info), keys: info.map(([serial]) => serial) };
}

function keyKind(spec: KeySpec): { key_bits: number; key_type: string } {
  return { key_bits: keyBits(spec), key_type: spec.type };
}

function keyBits(spec: KeySpec): number {
  if (spec.type === 'rsa') return spec.bits;
  if (spec.type === 'ec') return curves[spec.curve].bits;
  return spec.type === 'mldsa' ? 8 * mldsa[spec.level].bytes : 256;
}
