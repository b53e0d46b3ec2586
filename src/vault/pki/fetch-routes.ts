import type { Authority } from '../../authority/authority.ts';
import { barePem } from '../../authority/issuer.ts';
import type { Revoked } from '../../authority/revoked.ts';
import { Fault } from '../../base/fault.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { invalidRequest } from '../faults.ts';
import { formatInstant } from '../instant.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';
import { conditional } from './modified.ts';

const pageFields = { after: 'text', limit: 'integer' } as const satisfies FieldTable;

const derCertificate = 'application/pkix-cert';
const pemCertificate = 'application/pem-certificate-chain';

/** What certificates point at, and what anyone may read: raw as DER or PEM, or in the envelope below `cert/`. */
export const fetchRoutes: readonly Route<Authority>[] = [
  rawCa('ca', derCertificate, (authority) => ca(authority).der),
  rawCa('ca/pem', pemCertificate, (authority) => pem(ca(authority))),
  rawCa('cert/ca/raw', derCertificate, (authority) => ca(authority).der),
  rawCa('cert/ca/raw/pem', pemCertificate, (authority) => pem(ca(authority))),
  // Vault calls the chain, which is PEM, so.
  rawCa('ca_chain', derCertificate, (authority) => Buffer.from(chain(authority))),
  envelopedCa('cert/ca', (authority) => certificateData(barePem(ca(authority)))),
  envelopedCa('cert/ca_chain', (authority) => {
    const whole = chain(authority);
    return { ...certificateData(whole), ca_chain: whole };
  }),
  raw(
    'cert/:serial/raw',
    derCertificate,
    async (authority, serial) => (await authority.certificate(serial))?.der,
  ),
  raw('cert/:serial/raw/pem', pemCertificate, async (authority, serial) =>
    pem(await authority.certificate(serial)),
  ),
  defineRoute('cert/:serial', {
    fields: noFields,
    open: true,
    on: {
      read: async (authority, { captures }) => {
        const certificate = await authority.certificate(captures.serial!);
        if (!certificate) return undefined;
        const data = certificateData(barePem(certificate));
        const revoked = await authority.revocations.status(captures.serial!);
        return { data: revoked ? { ...data, ...revocationData(revoked) } : data };
      },
    },
  }),
  defineRoute('certs', {
    fields: pageFields,
    on: {
      list: async (authority, { fields }) => ({ data: { keys: await authority.serials(rangeOf(fields)) } }),
    },
  }),
];

function rangeOf({ after, limit = 0 }: FieldValues<typeof pageFields>): { after?: string; limit?: number } {
  return { ...(after ? { after } : {}), ...(limit > 0 ? { limit } : {}) };
}

type Bytes = Buffer | undefined;

/** A route that answers bytes, or none (204) where there is nothing of that serial. */
function raw(
  path: string,
  contentType: string,
  read: (authority: Authority, serial: string) => Promise<Bytes>,
): Route<Authority> {
  return defineRoute(path, {
    fields: noFields,
    open: true,
    on: {
      read: async (authority, { captures }): Promise<Answer> => {
        const body = (await read(authority, captures.serial!)) ?? Buffer.alloc(0);
        return { raw: { contentType, body } };
      },
    },
  });
}

/** The same of the CA, which may not be there yet. */
function rawCa(path: string, contentType: string, read: (authority: Authority) => Bytes): Route<Authority> {
  return defineRoute(path, {
    fields: noFields,
    open: true,
    on: {
      read: (authority, { origin }): Answer => {
        const body = orNothing(() => read(authority));
        if (!body) return { raw: { contentType, body: Buffer.alloc(0) } };
        return conditional({ raw: { contentType, body } }, origin, authority.issuersModifiedAt());
      },
    },
  });
}

/** Raw answers cannot tell of an issuer that is not there, so they are empty. */
function orNothing(read: () => Bytes): Bytes {
  try {
    return read();
  } catch (error) {
    if (error instanceof Fault && error.code === 'authority.issuer.absent') return undefined;
    throw error;
  }
}

function envelopedCa(
  path: string,
  read: (authority: Authority) => Record<string, unknown>,
): Route<Authority> {
  return defineRoute(path, {
    fields: noFields,
    open: true,
    on: {
      read: (authority, { origin }) => {
        const data = caToRead(() => read(authority));
        return conditional({ data }, origin, authority.issuersModifiedAt());
      },
    },
  });
}

function certificateData(certificate: string): Record<string, unknown> {
  return { certificate, revocation_time: 0, revocation_time_rfc3339: '' };
}

function revocationData({ revokedAtMs, issuerId }: Revoked): Record<string, unknown> {
  return {
    revocation_time: Math.floor(revokedAtMs / 1_000),
    revocation_time_rfc3339: formatInstant(revokedAtMs),
    ...(issuerId === '' ? {} : { issuer_id: issuerId }),
  };
}

function ca(authority: Authority): Certificate {
  return authority.issuer('default').certificate;
}

/** In the envelope Vault calls it the client's mistake to ask for the CA too early; for CRLs it does not. */
function caToRead<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Fault && error.code === 'authority.issuer.absent')) throw error;
    throw invalidRequest(error.message, error);
  }
}

function chain(authority: Authority): string {
  return authority.chain(authority.issuer('default')).map(barePem).join('\n');
}

function pem(certificate: Certificate | undefined): Bytes {
  return certificate && Buffer.from(barePem(certificate));
}
