import { expect, test } from 'vitest';
import { readBlocks } from './config-blocks.ts';
import { readSeal } from './seal-config.ts';

const read = (body: string, env: Record<string, string> = {}) => readSeal(readBlocks(body), env);

test('without a stanza, and with "shamir", shares unseal', () => {
  expect(read('')).toBeUndefined();
  expect(read('seal "shamir" {}')).toBeUndefined();
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
    'seal "static" {\n current_key_id = "a"\n current_key = "k"\n disabled = "true"\n}',
    'seal "static": disabled: a server keeps the kind of seal that it was initialised with; set it to false',
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
