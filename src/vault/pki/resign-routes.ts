import type { Authority } from '../../authority/authority.ts';
import { describeError, Fault } from '../../base/fault.ts';
import { type CertificateList, crlPem, readCrl } from '../../x509/crl.ts';
import { decodePem } from '../../x509/pem.ts';
import { invalidRequest } from '../faults.ts';
import { durationMs } from '../routing/coerce.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';

const fields = {
  crl_number: 'integer',
  delta_crl_base_number: 'integer',
  next_update: 'text',
  crls: 'list',
  format: 'text',
} as const satisfies FieldTable;

export const resignRoutes: readonly Route<Authority>[] = [
  defineRoute('issuer/:issuer_ref/resign-crls', {
    fields,
    on: {
      update: (authority, { captures, fields: given }) => resign(authority, captures.issuer_ref!, given),
    },
  }),
];

async function resign(
  authority: Authority,
  issuer: string,
  given: FieldValues<typeof fields>,
): Promise<Answer> {
  const { crl_number: number = 0, delta_crl_base_number: base = -1, format = 'pem' } = given;
  const form = format.toLowerCase();
  if (form !== 'pem' && form !== 'der') throw invalidRequest(`unknown format value of ${format}`);
  const lifetimeMs = lifetime(given.next_update ?? '72h');
  if (number < 0) throw invalidRequest('crl_number parameter must be 0 or greater');
  if (base < -1) throw invalidRequest('delta_crl_base_number parameter must be -1 or greater');
  const lists = (given.crls ?? []).map(readList);
  const deltaOf = base >= 0 ? { deltaOf: base } : {};
  const { der, warnings } = await inOneLine(() =>
    authority.crls.resign(knownIssuer(authority, issuer), { lists, number, lifetimeMs, ...deltaOf }),
  );
  return { data: { crl: form === 'der' ? der.toString('base64') : crlPem(der) }, warnings };
}

function knownIssuer(authority: Authority, reference: string): string {
  try {
    return authority.issuer(reference).id;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw invalidRequest(`failed to resolve issuer issuer_ref: ${error.message}`, error);
  }
}

/** Vault takes every refusal here for the client's mistake. */
async function inOneLine<T>(act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (!(error instanceof Fault) || !error.code.startsWith('authority.')) throw error;
    throw invalidRequest(error.message, error);
  }
}

function lifetime(text: string): number {
  let ms: number;
  try {
    ms = durationMs(text);
  } catch (error) {
    throw invalidRequest(`invalid value for next_update: ${describeError(error)}`, error);
  }
  if (ms > 0) return ms;
  throw invalidRequest('next_update parameter must be greater than 0');
}

function readList(text: string, index: number): CertificateList {
  try {
    // One that is no PEM is refused in the same words.
    const blocks = text.includes('-----BEGIN ') ? decodePem(text) : [];
    if (blocks.length !== 1) throw invalidRequest('invalid crl; should be one PEM block only');
    return readCrl(blocks[0]!.bytes);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw invalidRequest(`failed decoding crl ${index}: ${error.message}`, error);
  }
}
