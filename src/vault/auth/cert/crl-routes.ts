import { describeError, Fault } from '../../../base/fault.ts';
import { type CertificateList, readCrl } from '../../../x509/crl.ts';
import { comparable } from '../../../x509/name.ts';
import { decodePem } from '../../../x509/pem.ts';
import { invalidRequest } from '../../faults.ts';
import { defineRoute } from '../../routing/define-route.ts';
import type { Route } from '../../routing/route.ts';
import type { RolesContext } from '../named-roles.ts';
import { revokedName } from './cert-verdict.ts';

/** A value of the store holds no more. */
const largestCrlBytes = 3 * 2 ** 20;

export const crlPrefix = 'crls/';

export const crlRoutes: readonly Route<RolesContext>[] = [
  defineRoute('crls', {
    fields: { after: 'text', limit: 'integer' },
    on: {
      list: async ({ store }, { fields }) => {
        const page = await store.list(crlPrefix, fields);
        return { data: { keys: page.map(({ name }) => name) } };
      },
    },
  }),
  defineRoute('crls/:name', {
    fields: { crl: 'text', url: 'text' },
    on: {
      read: async ({ store }, { captures }) => {
        const kept = await store.get<string>(keyOf(captures.name!));
        if (kept === undefined) throw invalidRequest(`no such CRL ${captures.name!.toLowerCase()}`);
        const serials = parse(kept).revoked.map(({ serial }) => decimal(serial));
        return {
          data: serials.length > 0 ? { serials: Object.fromEntries(serials.map((each) => [each, {}])) } : {},
        };
      },
      update: async ({ store }, { captures, fields }) => {
        if (fields.url) throw invalidRequest('url is not supported: give the list itself as crl');
        if (!fields.crl) throw invalidRequest("one of 'crl' or 'url' must be provided");
        const kept = pemOrBase64(fields.crl);
        parse(kept);
        await store.change(async (work) => work.put(keyOf(captures.name!), kept));
        return undefined;
      },
      delete: async ({ store }, { captures }) => {
        const name = captures.name!.toLowerCase();
        await store.change(async (work) => {
          if ((await work.get<string>(keyOf(name))) === undefined)
            throw invalidRequest(`no such CRL ${name}`);
          work.delete(keyOf(name));
        });
        return undefined;
      },
    },
  }),
];

function keyOf(name: string): string {
  return crlPrefix + name.toLowerCase();
}

/** The list's DER in base64, as the store keeps it. */
function pemOrBase64(text: string): string {
  let der: Buffer | undefined;
  try {
    der = decodePem(text).find(({ label }) => label === 'X509 CRL')?.bytes;
  } catch (error) {
    throw invalidRequest(`failed to parse CRL: ${describeError(error)}`, error);
  }
  if (!der) throw invalidRequest('failed to parse CRL: it holds no X509 CRL in PEM');
  if (der.length > largestCrlBytes) throw invalidRequest(`a CRL of more than ${largestCrlBytes} bytes`);
  return der.toString('base64');
}

function parse(kept: string): CertificateList {
  try {
    return readCrl(Buffer.from(kept, 'base64'));
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw invalidRequest(`failed to parse CRL: ${describeError(error)}`, error);
  }
}

/** What a list says is revoked. It came from whoever may configure the method, so nobody need have signed it here. */
export function revokedBy(kept: string): string[] {
  const list = parse(kept);
  let issuer = comparable(list.issuer);
  return list.revoked.flatMap(({ serial, certificateIssuer, reason }) => {
    const other = certificateIssuer?.find(({ type }) => type === 'directory');
    if (other?.type === 'directory') issuer = comparable(other.value);
    return reason === 'remove from crl' ? [] : [revokedName(issuer, serial)];
  });
}

/** A serial number as Go prints it. */
export function decimal(serial: Buffer): string {
  return BigInt.asIntN(serial.length * 8, BigInt(`0x${serial.toString('hex') || '0'}`)).toString();
}
