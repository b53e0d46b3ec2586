import type { Authority } from '../../authority/authority.ts';
import type { CaKey } from '../../authority/issuer.ts';
import { keyIdentifier } from '../../x509/key.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';

const pageFields = { after: 'text', limit: 'integer' } as const satisfies FieldTable;

/** Which keys there are: never the keys themselves. */
export const keyRoutes: readonly Route<Authority>[] = [
  defineRoute('keys', {
    fields: pageFields,
    on: { list: (authority, { fields }) => listKeys(authority, fields) },
  }),
  defineRoute('key/:key_ref', {
    fields: noFields,
    on: { read: (authority, { captures }) => describe(authority.key(captures.key_ref!)) },
  }),
];

function listKeys(
  authority: Authority,
  { after = '', limit = 0 }: { after?: string; limit?: number },
): Answer {
  const keys = authority
    .keys()
    .filter(({ id }) => id > after)
    .slice(0, limit > 0 ? limit : undefined);
  const { keyId } = authority.defaults();
  const info = keys.map(({ id, name }) => [id, { is_default: id === keyId, key_name: name }]);
  return { data: { key_info: Object.fromEntries(info), keys: keys.map(({ id }) => id) } };
}

function describe({ id, name, privateKey: { publicKey } }: CaKey): Answer {
  return {
    data: {
      key_id: id,
      key_name: name,
      key_type: publicKey.spec.type,
      subject_key_id: keyIdentifier(publicKey)
        .toString('hex')
        .replaceAll(/..(?=.)/g, '$&:'),
    },
  };
}
