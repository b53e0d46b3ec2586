import type { Authority } from '../../authority/authority.ts';
import type { Imported } from '../../authority/import.ts';
import { invalidRequest } from '../faults.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';
import { lacksUrls, lacksUrlsWarning } from './url-warning.ts';

const bundleFields = { pem_bundle: 'text' } as const satisfies FieldTable;
const certificateFields = { certificate: 'text' } as const satisfies FieldTable;

/** CAs that come from elsewhere: whole, or as the certificate that was asked for here. */
export const importRoutes: readonly Route<Authority>[] = [
  defineRoute('config/ca', {
    fields: bundleFields,
    on: { update: (authority, { fields }) => importBundle(authority, fields.pem_bundle, true) },
  }),
  defineRoute('issuers/import/bundle', {
    fields: bundleFields,
    on: { update: (authority, { fields }) => importBundle(authority, fields.pem_bundle, true) },
  }),
  defineRoute('issuers/import/cert', {
    fields: bundleFields,
    on: { update: (authority, { fields }) => importBundle(authority, fields.pem_bundle, false) },
  }),
  defineRoute('intermediate/set-signed', {
    fields: certificateFields,
    on: { update: (authority, { fields }) => importBundle(authority, fields.certificate, false) },
  }),
];

/** No certificate is as short as this; a path is. */
const shortestBundle = 75;

async function importBundle(authority: Authority, pem = '', keysAllowed: boolean): Promise<Answer> {
  if (pem === '') throw invalidRequest("'pem_bundle' and 'certificate' parameters were empty");
  if (pem.length < shortestBundle) throw tooShort();
  const imported = await authority.importBundle(pem, { keysAllowed });
  const warnings = [...imported.warnings, ...(lacksUrls(authority.urls()) ? [lacksUrlsWarning] : [])];
  return { data: describe(imported), warnings };
}

export function tooShort() {
  return invalidRequest(
    'provided data for import was too short; perhaps a path was passed to the API rather than the contents of a PEM file',
  );
}

function describe({ issuers, keys, existingIssuers, existingKeys, keyOf }: Imported) {
  return {
    existing_issuers: orNull(existingIssuers),
    existing_keys: orNull(existingKeys),
    imported_issuers: orNull(issuers),
    imported_keys: orNull(keys),
    mapping: Object.fromEntries([...keyOf].map(([issuer, key]) => [issuer, key ?? ''])),
  };
}

function orNull(list: readonly string[]): readonly string[] | null {
  return list.length > 0 ? list : null;
}
