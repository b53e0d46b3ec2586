import { invalidRequest } from '../faults.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';

/** The body of `POST sys/managed-keys/pkcs11/:name`. */
export const managedKeyFields = {
  type: 'text',
  library: 'text',
  slot: 'text',
  token_label: 'text',
  pin: 'text',
  key_label: 'text',
  key_id: 'text',
  mechanism: 'text',
  key_bits: 'integer',
  curve: 'text',
  allow_generate_key: 'boolean',
  allow_replace_key: 'boolean',
  allow_store_key: 'boolean',
  any_mount: 'boolean',
  force_rw_session: 'boolean',
} as const satisfies FieldTable;

export type ManagedKeyFields = FieldValues<typeof managedKeyFields>;

/** Where a key of an HSM is, and who may use it. As the store keeps it, which is to seal the PIN. */
export interface ManagedKey {
  uuid: string;
  name: string;
  /** The name of a `kms_library` in the server's configuration: no request says what is loaded. */
  library: string;
  /** Decimal; empty where the label says which token. */
  slot: string;
  tokenLabel: string;
  pin: string;
  /** CKA_LABEL, CKA_ID in hexadecimal: one or both. */
  keyLabel: string;
  keyId: string;
  mechanism: MechanismName;
  /** Of a key that is made; 0 and empty for 2048 bits and P-256. */
  keyBits: number;
  curve: '' | CurveName;
  generates: boolean;
  anyMount: boolean;
  /** Shown as it was set: every session here may write. */
  forceRwSession: boolean;
}

/** What signs, with the number of PKCS#11. RSA_PKCS_PSS signs with that padding whatever is asked for. */
export const mechanisms = { ECDSA: 0x1041, RSA_PKCS: 0x0001, RSA_PKCS_PSS: 0x000d } as const;
export type MechanismName = keyof typeof mechanisms;

const curveNames = ['P256', 'P384', 'P521'] as const;
export type CurveName = (typeof curveNames)[number];

/** What is not given stays as it was. @throws Fault `vault.request.invalid` */
export function readManagedKey(
  name: string,
  fields: ManagedKeyFields,
  before: ManagedKey | undefined,
  newUuid: () => string,
): ManagedKey {
  if (!/^[a-z0-9]([a-z0-9_.-]*[a-z0-9])?$/.test(name)) {
    throw invalidRequest(`invalid name of a managed key: ${JSON.stringify(name)}`);
  }
  if (fields.type && fields.type !== 'pkcs11') {
    throw invalidRequest(`managed keys of type ${JSON.stringify(fields.type)} are not supported; use pkcs11`);
  }
  refuseUnsupported(fields);
  const key: ManagedKey = {
    uuid: before?.uuid ?? newUuid(),
    name,
    library: needed('library', fields.library?.toLowerCase() ?? before?.library),
    slot: fields.slot ?? before?.slot ?? '',
    tokenLabel: fields.token_label ?? before?.tokenLabel ?? '',
    pin: needed('pin', fields.pin ?? before?.pin),
    keyLabel: fields.key_label ?? before?.keyLabel ?? '',
    keyId: fields.key_id === undefined ? (before?.keyId ?? '') : readId(fields.key_id),
    mechanism: fields.mechanism === undefined && before ? before.mechanism : readMechanism(fields.mechanism),
    keyBits: fields.key_bits ?? before?.keyBits ?? 0,
    curve: fields.curve === undefined ? (before?.curve ?? '') : readCurve(fields.curve),
    generates: fields.allow_generate_key ?? before?.generates ?? false,
    anyMount: fields.any_mount ?? before?.anyMount ?? false,
    forceRwSession: fields.force_rw_session ?? before?.forceRwSession ?? false,
  };
  checkWhole(key);
  return key;
}

function refuseUnsupported(fields: ManagedKeyFields): void {
  if (fields.allow_store_key) {
    throw invalidRequest(
      'allow_store_key is not supported: no key is ever brought into an HSM; to have one made there, set allow_generate_key',
    );
  }
  if (fields.allow_replace_key) {
    throw invalidRequest('allow_replace_key is not supported: a key that is there stays');
  }
}

function checkWhole({ slot, tokenLabel, keyLabel, keyId, keyBits, generates }: ManagedKey): void {
  if (slot === '' && tokenLabel === '') throw invalidRequest('slot or token_label must be specified');
  if (slot !== '' && !/^\d{1,19}$/.test(slot)) throw invalidRequest('slot takes a decimal number');
  if (keyLabel === '' && keyId === '') throw invalidRequest('key_label or key_id must be specified');
  if (keyLabel === '' && generates) throw invalidRequest('allow_generate_key needs key_label');
  if (![0, 2_048, 3_072, 4_096].includes(keyBits)) {
    throw invalidRequest(`unsupported key_bits ${keyBits}; use 2048, 3072 or 4096`);
  }
}

function needed(name: string, value: string | undefined): string {
  if (value) return value;
  throw invalidRequest(`${name} must be specified`);
}

function readId(text: string): string {
  const [, digits = ''] = /^(?:0x)?((?:[0-9a-f]{2})*)$/i.exec(text) ?? [];
  if (digits !== '' || text === '') return digits.toLowerCase();
  throw invalidRequest('key_id takes hexadecimal digits');
}

function readMechanism(text = ''): MechanismName {
  const number = /^(0x[0-9a-f]+|\d+)$/i.test(text) ? Number(text) : undefined;
  const found = Object.entries(mechanisms).find(
    ([name, value]) => value === number || text === name || text === `CKM_${name}`,
  );
  if (found) return found[0] as MechanismName;
  const known = Object.entries(mechanisms).map(
    ([name, value]) => `0x${value.toString(16).padStart(4, '0')} (CKM_${name})`,
  );
  throw invalidRequest(
    `unsupported mechanism ${JSON.stringify(text)}; CAs sign with one of ${known.join(', ')}`,
  );
}

function readCurve(text: string): '' | CurveName {
  const found = curveNames.find((name) => name === text.toUpperCase().replace('-', ''));
  if (found || text === '') return found ?? '';
  throw invalidRequest(`unsupported curve ${JSON.stringify(text)}; use ${curveNames.join(', ')}`);
}

/** As `sys/managed-keys` shows it: the PIN never. */
export function describeManagedKey(key: ManagedKey): Record<string, unknown> {
  const slot = Number(key.slot);
  return {
    UUID: key.uuid,
    allow_generate_key: key.generates,
    allow_replace_key: false,
    allow_store_key: false,
    any_mount: key.anyMount,
    curve: key.curve,
    force_rw_session: key.forceRwSession,
    key_bits: key.keyBits,
    key_id: key.keyId,
    key_label: key.keyLabel,
    library: key.library,
    mechanism: mechanisms[key.mechanism],
    name: key.name,
    pin: 'redacted',
    // Numbers of slots can have 64 bits, which JSON's readers round.
    slot: Number.isSafeInteger(slot) ? slot : key.slot,
    token_label: key.tokenLabel,
    type: 'pkcs11',
  };
}
