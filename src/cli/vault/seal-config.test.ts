import { expect, test } from 'vitest';
import { readBlocks } from './config-blocks.ts';
import { readSeals } from './seal-config.ts';

const read = (body: string, env: Record<string, string> = {}) => readSeals(readBlocks(body), env).seal;

test('without a stanza, and with "shamir", shares unseal', () => {
  expect(read('')).toBeUndefined();
  expect(read('seal "shamir" {}')).toBeUndefined();
});

test('a seal that is left, beside the one that takes over or alone', () => {
  const block = (id: string, more = '') =>
    `seal "static" {\n current_key_id = "${id}"\n current_key = "k"\n${more}}\n`;
  const left = ' disabled = "true"\n';
  const both = readSeals(readBlocks(block('new') + block('old', left)), {});
  expect(both).toMatchObject({ seal: { current: { id: 'new' } }, formerSeal: { current: { id: 'old' } } });
  expect(readSeals(readBlocks(block('old', left)), {})).toMatchObject({ seal: undefined });
  for (const twice of [block('a') + block('b'), block('a', left) + block('b', left)]) {
    expect(() => readSeals(readBlocks(twice), {})).toThrow('of several seals all but one must be disabled');
  }
});

test('a static key, and the one before it', () => {
  const seal = read(
    'seal "static" {\n current_key_id = "two"\n current_key = "env://K"\n previous_key_id = "one"\n previous_key = "file:///k"\n}',
  );
  expect(seal).toMatchObject({ type: 'static', current: { id: 'two' }, previous: { id: 'one' } });
  // No key is seen in what is logged or printed.
  expect(JSON.stringify(seal)).not.toMatch(/env:|file:/);
});

const transit =
  'seal "transit" {\n address = "https://v:8200"\n mount_path = "transit/"\n key_name = "k"\n token = "t"\n';

test('transit, with what the environment says before what the file says', () => {
  const env = { VAULT_TOKEN: 'from-env', VAULT_TRANSIT_SEAL_KEY_NAME: 'other' };
  const seal = read(`${transit} disable_renewal = "true"\n tls_ca_cert = "ca.pem"\n}`, env);
  expect(seal).toMatchObject({
    ...{ type: 'transit', address: 'https://v:8200', mountPath: 'transit/', keyName: 'other', renews: false },
    tls: { ca: 'ca.pem', insecure: false },
  });
  expect(seal?.type === 'transit' && seal.token.reveal()).toBe('from-env');
});

test.each([
  ['seal "static" {\n current_key = "k"\n}', 'seal "static": current_key_id is missing'],
  ['seal "static" {\n current_key_id = "a"\n}', 'seal "static": current_key is missing'],
  [
    'seal "static" {\n current_key_id = "a"\n current_key = "k"\n previous_key = "p"\n}',
    'seal "static": previous_key and previous_key_id go together',
  ],
  [
    'seal "static" {\n current_key_id = "a"\n current_key = "k"\n x = 1\n}',
    'seal "static": x (line 4) is not supported',
  ],
  ['seal "awskms" {}', 'seal "awskms" (line 1) is not supported'],
  [
    `${transit} namespace = "team"\n}`,
    'seal "transit": namespace: there is no other than the root here; leave it out',
  ],
  [`${transit} tls_client_cert = "c"\n}`, 'seal "transit": tls_client_cert and tls_client_key go together'],
  [
    'seal "transit" {\n address = "v:8200"\n}',
    'seal "transit": address is missing, or no http or https address',
  ],
  [
    'seal "transit" {\n address = "http://v"\n mount_path = "t"\n key_name = "k"\n}',
    'seal "transit": token is missing, and VAULT_TOKEN is not set',
  ],
])('%s is refused by its name', (body, message) => {
  expect(() => read(body)).toThrow(message);
});

const pkcs11 = 'seal "pkcs11" {\n lib = "/l.so"\n token_label = "t"\n key_label = "k"\n';

test('pkcs11, with what the environment says before what the file says', () => {
  const seal = read(
    `${pkcs11} pin = "1"\n key_id = "0x0a0B"\n mechanism = "0x1087"\n generate_key = "true"\n}`,
    {
      BAO_HSM_PIN: '2',
      VAULT_HSM_KEY_LABEL: 'other',
    },
  );
  expect(seal).toMatchObject({
    ...{ type: 'pkcs11', lib: '/l.so', tokenLabel: 't', slot: undefined, keyLabel: 'other' },
    ...{ keyId: Buffer.from([10, 11]), mechanism: 'AES_GCM', oaepHash: 'sha256', generatesKey: true },
  });
  expect(seal?.type === 'pkcs11' && seal.pin.reveal()).toBe('2');
  expect(JSON.stringify({ ...seal, slot: 0 })).not.toContain('"2"');
});

test.each([
  ['', 'pin is missing, and VAULT_HSM_PIN is not set'],
  ['pin = "1"\n mechanism = "CKM_AES_CBC_PAD"', 'mechanism "CKM_AES_CBC_PAD" is not supported'],
  ['pin = "1"\n rsa_oaep_hash = "md5"', 'rsa_oaep_hash "md5" is not known'],
  ['pin = "1"\n key_id = "xyz"', 'key_id takes hexadecimal digits'],
  ['pin = "1"\n slot = "0x10"', 'slot takes a decimal number in quotes'],
])('pkcs11 with %s is refused by its name', (line, message) => {
  expect(() => read(`${pkcs11} ${line}\n}`)).toThrow(message);
});
