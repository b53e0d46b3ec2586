import type { Authority } from '../../authority/authority.ts';
import { barePem } from '../../authority/issuer.ts';
import { Fault } from '../../base/fault.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { encodePem } from '../../x509/pem.ts';
import { invalidRequest } from '../faults.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';

const pageFields = { after: 'text', limit: 'integer' } as const satisfies FieldTable;

const derCertificate = 'application/pkix-cert';
const pemCertificate = 'application/pem-certificate-chain';
const derCrl = 'application/pkix-crl';
const pemCrl = 'application/x-pem-file';

/** What certificates point at, and what anyone may read: raw as DER or PEM, or in the envelope below `cert/`. */
export const fetchRoutes: readonly Route<Authority>[] = [
  raw('ca', derCertificate, (authority) => ca(authority)?.der),
  raw('ca/pem', pemCertificate, (authority) => pem(ca(authority))),
  raw('cert/ca/raw', derCertificate, (authority) => ca(authority)?.der),
  raw('cert/ca/raw/pem', pemCertificate, (authority) => pem(ca(authority))),
  // Vault calls the chain, which is PEM, so.
  raw('ca_chain', derCertificate, (authority) => Buffer.from(chain(authority))),
  raw('crl', derCrl, defaultCrl),
  raw('crl/pem', pemCrl, crlPem),
  raw('cert/crl/raw', derCrl, defaultCrl),
  raw('cert/crl/raw/pem', pemCrl, crlPem),
  enveloped('cert/ca', (authority) => barePem(caToRead(() => ca(authority)))),
  enveloped('cert/crl', async (authority) => encodePem('X509 CRL', await authority.crl('default')).trimEnd()),
  defineRoute('cert/ca_chain', {
    fields: noFields,
    open: true,
    on: {
      read: (authority) => {
        const whole = caToRead(() => chain(authority));
        return { data: { ...certificateData(whole), ca_chain: whole } };
      },
    },
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
        return certificate && { data: certificateData(barePem(certificate)) };
      },
    },
  }),
  defineRoute('certs', {
    fields: pageFields,
    on: {
      list: async (authority, { fields: { after, limit = 0 } }) => ({
        data: {
          keys: await authority.serials({ ...(after ? { after } : {}), ...(limit > 0 ? { limit } : {}) }),
        },
      }),
    },
  }),
];

type Bytes = Buffer | undefined;

/** A route that answers bytes, or none (204) where there is nothing yet. */
function raw(
  path: string,
  contentType: string,
  read: (authority: Authority, serial: string) => Bytes | Promise<Bytes>,
): Route<Authority> {
  return defineRoute(path, {
    fields: noFields,
    open: true,
    on: {
      read: async (authority, { captures }): Promise<Answer> => {
        const body = (await orNothing(() => read(authority, captures.serial ?? ''))) ?? Buffer.alloc(0);
        return { raw: { contentType, body } };
      },
    },
  });
}

/** Raw answers cannot tell of an issuer that is not there, so they are empty. */
async function orNothing(read: () => Bytes | Promise<Bytes>): Promise<Bytes> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Fault && error.code === 'authority.issuer.absent') return undefined;
    throw error;
  }
}

function enveloped(path: string, read: (authority: Authority) => string | Promise<string>): Route<Authority> {
  return defineRoute(path, {
    fields: noFields,
    open: true,
    on: { read: async (authority) => ({ data: certificateData(await read(authority)) }) },
  });
}

function certificateData(certificate: string): Record<string, unknown> {
  return { certificate, revocation_time: 0, revocation_time_rfc3339: '' };
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

function defaultCrl(authority: Authority): Promise<Buffer> {
  return authority.crl('default');
}

async function crlPem(authority: Authority): Promise<Buffer> {
  return Buffer.from(encodePem('X509 CRL', await authority.crl('default')).trimEnd());
}
