import { expect, test } from 'vitest';
import { seededEntropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { SecretText } from '../../base/secret.ts';
import type { Cryptoki } from '../pkcs11/cryptoki.ts';
import { pkcs11Library } from '../pkcs11/library.ts';
import { type Pkcs11Settings, pkcs11Seal } from './pkcs11-seal.ts';

/** An HSM that has one token, and answers C_Login with `login`. */
function hsm(login: () => void): { cryptoki: Cryptoki; called: string[] } {
  const called: string[] = [];
  return {
    called,
    cryptoki: {
      address: () => 1n,
      async restart() {
        called.push('restart');
      },
      async call(name) {
        called.push(name);
        if (name === 'C_Login') login();
        if (name === 'C_FindObjects') throw new Error('far enough');
        return 0;
      },
    },
  };
}

const settings: Pkcs11Settings = {
  ...{ slot: 1n, pin: new SecretText('1234'), keyLabel: 'seal', generatesKey: false },
  mechanism: 'AES_GCM',
  oaepHash: 'sha256',
};

test('a PIN that was refused is not tried again: an HSM locks after a few', async () => {
  const { cryptoki, called } = hsm(() => {
    throw new Fault('refused', { code: 'vault.seal.pin', blame: 'operator' });
  });
  const seal = pkcs11Seal(
    pkcs11Library(async () => cryptoki),
    settings,
    seededEntropy('hsm'),
  );
  for (let attempt = 0; attempt < 5; attempt++) {
    await expect(seal.lock('name', Buffer.alloc(32))).rejects.toMatchObject({ code: 'vault.seal.pin' });
  }
  expect(called.filter((name) => name === 'C_Login')).toHaveLength(1);
  expect(called.filter((name) => name === 'C_OpenSession')).toHaveLength(1);
});

test('an HSM that is away is tried again, and every session is given back', async () => {
  const { cryptoki, called } = hsm(() => {
    throw new Fault('away', { code: 'vault.seal.away', blame: 'operator' });
  });
  const seal = pkcs11Seal(
    pkcs11Library(async () => cryptoki),
    settings,
    seededEntropy('hsm'),
  );
  for (let attempt = 0; attempt < 3; attempt++) {
    await expect(seal.lock('name', Buffer.alloc(32))).rejects.toMatchObject({ code: 'vault.seal.away' });
  }
  expect(called.filter((name) => name === 'C_Login')).toHaveLength(3);
  expect(called.filter((name) => name === 'C_CloseSession')).toHaveLength(3);
});

test('a search is ended whatever comes of it', async () => {
  const { cryptoki, called } = hsm(() => {});
  const seal = pkcs11Seal(
    pkcs11Library(async () => cryptoki),
    settings,
    seededEntropy('hsm'),
  );
  await expect(seal.lock('name', Buffer.alloc(32))).rejects.toThrow('far enough');
  expect(called.at(-1)).toBe('C_FindObjectsFinal');
});
