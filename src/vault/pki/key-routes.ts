import type { CaKey } from '../../authority/issuer.ts';
import { Fault } from '../../base/fault.ts';
import { type KeySpec, keyIdentifier } from '../../x509/key.ts';
import { isRemote } from '../../x509/signature.ts';
import { invalidRequest } from '../faults.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';
import { readKeySpec } from './ca-fields.ts';
import { tooShort } from './import-routes.ts';
import { managedKeyNames, obtainKey, type PkiContext } from './wanted-key.ts';
import { writtenKey } from './written.ts';

const pageFields = { after: 'text', limit: 'integer' } as const satisfies FieldTable;
const nameFields = { key_name: 'text' } as const satisfies FieldTable;
const importFields = { ...nameFields, pem_bundle: 'text' } as const satisfies FieldTable;
const generateFields = { ...nameFields, key_type: 'text', key_bits: 'integer' } as const satisfies FieldTable;
const kmsFields = { ...generateFields, ...managedKeyNames } as const satisfies FieldTable;

/** Which keys there are: never the keys themselves, save one that is made to be exported. */
export const keyRoutes: readonly Route<PkiContext>[] = [
  defineRoute('keys', {
    fields: pageFields,
    on: { list: (authority, { fields }) => listKeys(authority, fields) },
  }),
  defineRoute('keys/generate/internal', {
    fields: generateFields,
    on: {
      update: async (authority, { fields }) => ({ data: describe(await generateKey(authority, fields)) }),
    },
  }),
  defineRoute('keys/generate/exported', {
    fields: generateFields,
    on: {
      update: async (authority, { fields }) => {
        const key = await generateKey(authority, fields);
        return { data: { ...describe(key), private_key: writtenKey(key.privateKey, 'pem').private_key } };
      },
    },
  }),
  defineRoute('keys/generate/kms', {
    fields: kmsFields,
    on: {
      update: async (authority, { fields }) => {
        const name = newName(fields.key_name);
        const remote = await obtainKey(authority, fields);
        return { data: describe(await authority.addNewKey({ remote }, name)) };
      },
    },
  }),
  defineRoute('keys/import', {
    fields: importFields,
    on: { update: (authority, { fields }) => importKey(authority, fields) },
  }),
  defineRoute('key/:key_ref', {
    fields: nameFields,
    on: {
      read: (authority, { captures }) => readKey(authority, authority.key(captures.key_ref!)),
      update: (authority, { captures, fields }) => renameKey(authority, captures.key_ref!, fields.key_name),
      delete: (authority, { captures }) => deleteKey(authority, captures.key_ref!),
    },
  }),
];

function listKeys(
  authority: PkiContext,
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

async function generateKey(
  authority: PkiContext,
  fields: FieldValues<typeof generateFields>,
): Promise<CaKey> {
  const name = newName(fields.key_name);
  return authority.addNewKey({ generate: spec(fields) }, name);
}

function spec({ key_type, key_bits }: FieldValues<typeof generateFields>): KeySpec {
  try {
    return readKeySpec(key_type, key_bits);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw invalidRequest(`Validation for key_type, key_bits failed: ${error.message}`, error);
  }
}

/** A name that is given has to be one. */
function newName(given: string | undefined): string {
  if (given?.trim() === '') throw invalidRequest('key name contained invalid characters');
  return given?.trim() ?? '';
}

async function importKey(
  authority: PkiContext,
  { pem_bundle: pem = '', key_name }: FieldValues<typeof importFields>,
): Promise<Answer> {
  const name = newName(key_name);
  if (pem.length < 64) throw tooShort();
  const { key, existed } = await authority.importKey(pem, name);
  const warnings = existed ? ['Key already imported, use key/ endpoint to update name.'] : [];
  return { data: describe(key), warnings };
}

async function renameKey(authority: PkiContext, reference: string, name = ''): Promise<Answer> {
  if (name !== '' && !/^\w([\w.-]*\w)?$/.test(name)) {
    throw invalidRequest('new key name outside of valid character limits');
  }
  const key = await authority.renameKey(reference, name);
  const warning = `Name successfully deleted, you will now need to reference this key by it's Id: ${key.id}`;
  return { data: describe(key), warnings: name === '' ? [warning] : [] };
}

async function deleteKey(authority: PkiContext, reference: string): Promise<Answer | undefined> {
  const deleted = await authority.deleteKey(reference);
  if (!deleted?.wasDefault) return undefined;
  const warning =
    `Deleted key ${deleted.key.id} (via key_ref ${reference}); this was configured as the default key. ` +
    'Operations without an explicit key will not work until a new default is configured.';
  return { warnings: [warning] };
}

function describe({ id, name, privateKey }: CaKey) {
  return { key_id: id, key_name: name, key_type: privateKey.spec.type };
}

function readKey({ managedKeys }: PkiContext, key: CaKey): Answer {
  const identifier = keyIdentifier(key.privateKey.publicKey).toString('hex');
  const data = { ...describe(key), subject_key_id: identifier.replaceAll(/..(?=.)/g, '$&:') };
  if (!isRemote(key.privateKey)) return { data };
  const { reference } = key.privateKey;
  const { name = '' } = managedKeys.described(reference) ?? {};
  return { data: { ...data, managed_key_id: reference, managed_key_name: name } };
}
