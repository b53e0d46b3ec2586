import type { Authority } from '../../authority/authority.ts';
import { parseDuration, secondMs } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';
import { decodePem, encodePem } from '../../x509/pem.ts';
import { invalidRequest } from '../faults.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';

const mergeFields = {
  crl_number: 'integer',
  delta_crl_base_number: 'integer',
  next_update: 'text',
  crls: 'list',
  format: 'text',
} as const satisfies FieldTable;

/** One CRL of those that an issuer's key signed in several places. */
export const crlMergingRoutes: readonly Route<Authority>[] = [
  defineRoute('issuer/:issuer_ref/resign-crls', {
    fields: mergeFields,
    on: { update: (authority, { fields, captures }) => merge(authority, captures.issuer_ref!, fields) },
  }),
];

async function merge(
  authority: Authority,
  reference: string,
  fields: FieldValues<typeof mergeFields>,
): Promise<Answer> {
  const { crl_number: number = 0, delta_crl_base_number: base = -1, crls = [] } = fields;
  const format = (fields.format ?? 'pem').toLowerCase();
  if (format !== 'pem' && format !== 'der') throw invalidRequest(`unknown format value of ${fields.format}`);
  const lifetimeMs = readLifetime(fields.next_update || '72h');
  if (number < 0) throw invalidRequest('crl_number parameter must be 0 or greater');
  if (base < -1) throw invalidRequest('delta_crl_base_number parameter must be -1 or greater');
  const lists = crls.map(readList);
  const { der, warnings } = await inOneLine(() =>
    authority.mergeCrls(knownIssuer(authority, reference), {
      lists,
      number,
      deltaOf: base < 0 ? undefined : base,
      lifetimeMs,
    }),
  );
  return { data: { crl: format === 'der' ? der.toString('base64') : encodePem('X509 CRL', der) }, warnings };
}

function readLifetime(text: string): number {
  let ms: number;
  try {
    ms = /^\d+$/.test(text) ? Number(text) * secondMs : parseDuration(text);
  } catch (error) {
    throw invalidRequest(`invalid value for next_update: ${(error as Error).message}`, error);
  }
  if (ms > 0) return ms;
  throw invalidRequest('next_update parameter must be greater than 0');
}

function readList(text: string, index: number): Buffer {
  try {
    const [block] = decodePem(text);
    if (block?.label === 'X509 CRL') return block.bytes;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw invalidRequest(`failed decoding crl ${index}: ${error.message}`, error);
  }
  throw invalidRequest(`failed decoding crl ${index}: there is no X509 CRL in PEM form`);
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
    if (!(error instanceof Fault) || !/^(authority|x509)\./.test(error.code)) throw error;
    throw invalidRequest(error.message, error);
  }
}
