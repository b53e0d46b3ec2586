import type { Authority } from '../../authority/authority.ts';
import { Fault } from '../../base/fault.ts';
import { type Certificate, readCertificates } from '../../x509/certificate.ts';
import { type PrivateKey, readPrivateKey, samePublicKey } from '../../x509/key.ts';
import { type Signer, signerOf, verifySignature } from '../../x509/signature.ts';
import { invalidRequest, rejected } from '../faults.ts';
import { formatInstant } from '../instant.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';
import { describeIssuer } from './issuer-care-routes.ts';

const revokeFields = { serial_number: 'text', certificate: 'text' } as const satisfies FieldTable;
const keyFields = { ...revokeFields, private_key: 'text' } as const satisfies FieldTable;
const pageFields = { after: 'text', limit: 'integer' } as const satisfies FieldTable;

/** Below it a text cannot be what it should; Vault takes it for a path by mistake. */
const shortestCertificate = 75;
const shortestKey = 64;

export const revocationRoutes: readonly Route<Authority>[] = [
  defineRoute('revoke', {
    fields: revokeFields,
    on: { update: (authority, { fields }) => revoke(authority, whatOf(fields)) },
  }),
  defineRoute('revoke-with-key', {
    fields: keyFields,
    on: { update: (authority, { fields }) => revokeWithKey(authority, fields) },
  }),
  defineRoute('issuer/:issuer_ref/revoke', {
    fields: noFields,
    on: { update: (authority, { captures }) => revokeIssuer(authority, captures.issuer_ref!) },
  }),
  defineRoute('certs/revoked', {
    fields: pageFields,
    on: {
      list: async (authority, { fields: { after, limit = 0 } }) => ({
        data: {
          keys: await authority.revocations.serials({
            ...(after ? { after } : {}),
            ...(limit > 0 ? { limit } : {}),
          }),
        },
      }),
    },
  }),
];

function whatOf({
  serial_number: serial,
  certificate,
}: FieldValues<typeof revokeFields>): string | Certificate {
  if (serial === undefined && certificate === undefined) {
    throw invalidRequest('The serial number or certificate to revoke must be provided.');
  }
  if (serial !== undefined && certificate !== undefined) {
    throw invalidRequest('Must provide either the certificate or the serial to revoke; not both.');
  }
  if (serial === '') throw invalidRequest('The serial number must be provided');
  return serial ?? certificateOf(certificate!);
}

function certificateOf(pem: string): Certificate {
  if (pem.length < shortestCertificate) {
    throw rejected(
      'provided certificate data was too short; perhaps a path was passed to the API rather than the contents of a ' +
        'PEM file',
    );
  }
  let found: Certificate | undefined;
  try {
    [found] = readCertificates(pem);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw rejected(`certificate could not be parsed: ${error.message}`);
  }
  if (!found) throw rejected('certificate contains no PEM data');
  return found;
}

async function revoke(authority: Authority, what: string | Certificate): Promise<Answer> {
  try {
    const { revokedAtMs } = await authority.revocations.revoke(what);
    return {
      data: {
        revocation_time: Math.floor(revokedAtMs / 1_000),
        revocation_time_rfc3339: formatInstant(revokedAtMs),
        state: 'revoked',
      },
    };
  } catch (error) {
    // Not revoked, and not an error either: a warning alone.
    if (error instanceof Fault && error.code === 'authority.certificate.expired') {
      return { warnings: [error.message] };
    }
    throw error;
  }
}

async function revokeIssuer(authority: Authority, reference: string): Promise<Answer> {
  const { issuer, already, selfSigned, hasParent } = await authority.revocations.revokeIssuer(reference);
  if (already) return describeIssuer(authority, issuer);
  const warnings = [
    ...(selfSigned
      ? [
          'This issuer is a self-signed (potentially root) certificate. This means it may not be considered revoked ' +
            "if there is not an external, cross-signed variant of this certificate. This issuer's serial number " +
            'will not appear on its own CRL.',
        ]
      : []),
    ...(hasParent
      ? []
      : [
          'This issuer lacks another parent issuer within the mount. This means it will not appear on any other CRLs ' +
            "and may not be considered revoked by clients. Consider adding this issuer to its issuer's CRL as well " +
            'if it is not self-signed.',
        ]),
    ...(authority.defaults().issuerId === issuer.id
      ? [
          'This issuer is currently configured as the default issuer for this mount; operations such as certificate ' +
            'issuance may not work until a new default issuer is selected.',
        ]
      : []),
  ];
  return { ...describeIssuer(authority, issuer), warnings };
}

/** Whoever holds a certificate's key may have it revoked. */
async function revokeWithKey(
  authority: Authority,
  { private_key: keyPem, ...fields }: FieldValues<typeof keyFields>,
): Promise<Answer> {
  const what = whatOf(fields);
  if (keyPem === undefined) {
    throw invalidRequest('Must have private key to revoke via the /revoke-with-key path.');
  }
  if (keyPem.length < shortestKey) {
    throw invalidRequest(
      'Provided data for private_key was too short; perhaps a path was passed to the API rather than the contents of ' +
        'a PEM file?',
    );
  }
  const certificate = typeof what === 'string' ? await authority.certificate(what) : what;
  if (!certificate) throw invalidRequest(`certificate with serial ${what as string} not found.`);
  await checkKey(certificate, keyPem);
  return revoke(authority, certificate);
}

/**
 * The public half may stand in a private key's file and be another's, so the key has to sign something that the
 * certificate's key verifies.
 */
async function checkKey({ publicKey }: Certificate, keyPem: string): Promise<void> {
  const privateKey = readKey(keyPem);
  if (privateKey.publicKey.spec.type !== publicKey.spec.type) {
    throw rejected("provided private key type does not match certificate's public key type");
  }
  const mismatch = "provided private key does not match certificate's public key";
  if (!samePublicKey(privateKey.publicKey, publicKey)) throw rejected(mismatch);
  const signer = signerOf(privateKey);
  const bytes = Buffer.from('proof of possession for a revocation');
  const signature = await trySigning(signer, bytes);
  const { algorithm } = signer;
  if (!signature || !verifySignature({ algorithm, bytes, signature, publicKey })) throw rejected(mismatch);
}

function readKey(keyPem: string): PrivateKey {
  try {
    return readPrivateKey(keyPem);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (error.code === 'x509.key.absent') {
      throw rejected('provided key PEM block contained no data or failed to parse');
    }
    // Its message tells of the form, never of what stands in it.
    throw rejected(`failed to parse provided private key: ${error.message}`);
  }
}

/** A key whose halves do not belong together may fail at it. */
async function trySigning(signer: Signer, bytes: Buffer): Promise<Buffer | undefined> {
  try {
    return await signer.sign(bytes);
  } catch {
    return undefined;
  }
}
