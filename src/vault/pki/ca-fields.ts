import type { SignatureHash, SignatureWish } from '../../authority/ca-issuing.ts';
import type { CaRequest } from '../../authority/ca-request.ts';
import { secondMs } from '../../base/duration.ts';
import type { Curve, KeySpec } from '../../x509/key.ts';
import { mldsaLevels } from '../../x509/spki.ts';
import { invalidRequest } from '../faults.ts';
import { instantMs } from '../routing/coerce.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';

/** The parameters that generating a root and signing an intermediate share. */
export const caFields = {
  common_name: 'text',
  alt_names: 'commaList',
  ip_sans: 'commaList',
  uri_sans: 'commaList',
  other_sans: 'commaList',
  exclude_cn_from_sans: 'boolean',
  serial_number: 'text',
  ou: 'commaList',
  organization: 'commaList',
  country: 'commaList',
  locality: 'commaList',
  province: 'commaList',
  street_address: 'commaList',
  postal_code: 'commaList',
  ttl: 'duration',
  not_after: 'text',
  not_before_duration: 'duration',
  max_path_length: 'integer',
  permitted_dns_domains: 'commaList',
  key_usage: 'commaList',
  signature_bits: 'integer',
  use_pss: 'boolean',
  skid: 'text',
  format: 'text',
  private_key_format: 'text',
} as const satisfies FieldTable;

type CaFields = FieldValues<typeof caFields>;

/** @throws Fault `vault.request.invalid` */
export function readCaRequest(fields: CaFields): CaRequest {
  const notAfter = fields.not_after;
  const pathLength = fields.max_path_length ?? -1;
  if (pathLength < -1) {
    throw invalidRequest(
      `requested max_path_length ${pathLength} is invalid: must be a non-negative integer or -1 for no constraint`,
    );
  }
  return {
    commonName: fields.common_name ?? '',
    subject: {
      country: fields.country ?? [],
      organization: fields.organization ?? [],
      organizationalUnit: fields.ou ?? [],
      locality: fields.locality ?? [],
      province: fields.province ?? [],
      streetAddress: fields.street_address ?? [],
      postalCode: fields.postal_code ?? [],
      ...(fields.serial_number ? { serialNumber: fields.serial_number } : {}),
    },
    excludeCommonName: fields.exclude_cn_from_sans ?? false,
    altNames: fields.alt_names ?? [],
    ipSans: fields.ip_sans ?? [],
    uriSans: fields.uri_sans ?? [],
    otherSans: fields.other_sans ?? [],
    validity: {
      ttlMs: fields.ttl ?? 0,
      backdateMs: fields.not_before_duration || 30 * secondMs,
      ...(notAfter ? { notAfterMs: instantMs(notAfter) } : {}),
    },
    maxPathLength: pathLength < 0 ? undefined : pathLength,
    permittedDnsDomains: fields.permitted_dns_domains ?? [],
    keyUsage: fields.key_usage ?? [],
    subjectKeyId: readSubjectKeyId(fields.skid ?? ''),
  };
}

function readSubjectKeyId(text: string): Buffer | undefined {
  const hex = text.replaceAll(/[:\- ]/g, '');
  if (hex === '') return undefined;
  if (/^([0-9a-fA-F]{2}){1,64}$/.test(hex)) return Buffer.from(hex, 'hex');
  throw invalidRequest(`cannot parse requested SKID value as hex: ${JSON.stringify(text)}`);
}

const hashes: Readonly<Record<number, SignatureHash>> = { 256: 'SHA-256', 384: 'SHA-384', 512: 'SHA-512' };

/** Undefined for the hash that goes with the issuer's key. */
export function readSignatureHash(bits = 0): SignatureHash | undefined {
  if (bits === 0) return undefined;
  const hash = hashes[bits];
  if (hash) return hash;
  throw invalidRequest(`invalid hash signature algorithm: ${bits}; use 256, 384 or 512`);
}

/** How a CA's signature is to be made. */
export function readSignatureWish({ signature_bits, use_pss }: CaFields): SignatureWish {
  return { hash: readSignatureHash(signature_bits), pss: use_pss ?? false };
}

const curves: Readonly<Record<number, Curve>> = {
  0: 'P-256',
  224: 'P-224',
  256: 'P-256',
  384: 'P-384',
  521: 'P-521',
};

/** @throws Fault `vault.request.invalid` */
export function readKeySpec(type = 'rsa', bits = 0): KeySpec {
  switch (type) {
    case 'rsa':
      if (bits !== 0 && bits < 2_048) {
        throw invalidRequest(`RSA keys < 2048 bits are unsafe and not supported: got ${bits}`);
      }
      if (![0, 2_048, 3_072, 4_096, 8_192].includes(bits)) {
        throw invalidRequest(`unsupported bit length for RSA key: ${bits}`);
      }
      return { type: 'rsa', bits: bits || 2_048 };
    case 'ec': {
      const curve = curves[bits];
      if (!curve) throw invalidRequest(`unsupported bit length for EC key: ${bits}`);
      return { type: 'ec', curve };
    }
    case 'ed25519':
      return { type: 'ed25519' };
    case 'mldsa': {
      const level = mldsaLevels.find((one) => one === (bits || 65));
      if (!level) throw invalidRequest(`unsupported bit length for ML-DSA key: ${bits}`);
      return { type: 'mldsa', level };
    }
    default:
      throw invalidRequest(`unknown key type ${type}; use rsa, ec, ed25519 or mldsa`);
  }
}

export type AnswerFormat = 'pem' | 'der' | 'pem_bundle';

export function readFormat(text = 'pem'): AnswerFormat {
  if (['pem', 'der', 'pem_bundle'].includes(text)) return text as AnswerFormat;
  throw invalidRequest('The "format" path parameter must be "pem", "der" or "pem_bundle"');
}
