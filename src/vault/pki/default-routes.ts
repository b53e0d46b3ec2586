import type { Authority } from '../../authority/authority.ts';
import type { DefaultsChange } from '../../authority/settings.ts';
import { Fault } from '../../base/fault.ts';
import { invalidRequest } from '../faults.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';

const issuersFields = {
  default: 'text',
  default_follows_latest_issuer: 'boolean',
} as const satisfies FieldTable;
const keysFields = { default: 'text' } as const satisfies FieldTable;

/** What stands in where a request names no issuer or key, and the CRLs of all issuers. */
export const defaultRoutes: readonly Route<Authority>[] = [
  defineRoute('config/issuers', {
    fields: issuersFields,
    on: { read: readIssuers, update: (authority, { fields }) => writeIssuers(authority, fields) },
  }),
  // The oldest way to make another root the default: without a parameter, the one that is named `next`.
  defineRoute('root/replace', {
    fields: issuersFields,
    on: {
      update: (authority, { fields }) =>
        writeIssuers(authority, { ...fields, default: fields.default ?? 'next' }),
    },
  }),
  defineRoute('config/keys', {
    fields: keysFields,
    on: {
      read: readKeys,
      update: async (authority, { fields }) => {
        await setDefaults(authority, { key: reference('key', fields.default) });
        return readKeys(authority);
      },
    },
  }),
];

function readIssuers(authority: Authority): Answer {
  const { issuerId = '', followsLatestIssuer } = authority.defaults();
  return { data: { default: issuerId, default_follows_latest_issuer: followsLatestIssuer } };
}

function readKeys(authority: Authority): Answer {
  return { data: { default: authority.defaults().keyId ?? '' } };
}

async function writeIssuers(
  authority: Authority,
  fields: FieldValues<typeof issuersFields>,
): Promise<Answer> {
  const { default: asked, default_follows_latest_issuer: followsLatestIssuer } = fields;
  const issuer = reference('issuer', asked);
  await setDefaults(authority, {
    issuer,
    ...(followsLatestIssuer === undefined ? {} : { followsLatestIssuer }),
  });
  const keyless = authority.issuer('default').keyId === undefined;
  return { ...readIssuers(authority), warnings: keyless ? [keylessWarning] : [] };
}

const keylessWarning =
  'This selected default issuer has no key associated with it. Some operations like issuing certificates and signing ' +
  'CRLs will be unavailable with the requested default issuer until a key is imported or the default issuer is changed.';

function reference(kind: 'issuer' | 'key', asked = ''): string {
  if (asked !== '' && asked !== 'default') return asked;
  throw invalidRequest(`Invalid ${kind} specification; must be non-empty and can't be 'default'.`);
}

/** @throws Fault `vault.request.invalid` for what refers to nothing */
async function setDefaults(authority: Authority, change: DefaultsChange): Promise<void> {
  try {
    await authority.setDefaults(change);
  } catch (error) {
    if (!(error instanceof Fault && error.code.startsWith('authority.'))) throw error;
    throw invalidRequest(`Error resolving issuer reference: ${error.message}`, error);
  }
}
