import { expect, test } from 'vitest';
import { seededEntropy } from '../base/entropy.ts';
import { encryptedStore } from './encrypted.ts';
import { keyring } from './keyring.ts';
import { memoryStore } from './memory.ts';

const key = Buffer.alloc(32, 1);
const value = Buffer.from('the private key of the trust anchor');
const sealed = expect.objectContaining({ code: 'store.encryption.sealed', fix: expect.any(String) });

async function filled() {
  const inner = memoryStore();
  const store = encryptedStore(inner, key, seededEntropy('e'));
  await store.commit({ puts: [{ key: 'a', value }] });
  return { inner, store, stored: (await inner.get('a'))!.value };
}

test('what lies in the store below says nothing of the value', async () => {
  const { stored } = await filled();
  expect(stored.length).toBe(4 + 12 + value.length + 16);
  expect(stored.readUInt32BE(0)).toBe(1);
  expect(stored.includes(value.subarray(0, 8))).toBe(false);
});

test('the same value is sealed anew each time', async () => {
  const { inner, store, stored } = await filled();
  await store.commit({ puts: [{ key: 'a', value }] });
  expect((await inner.get('a'))!.value).not.toEqual(stored);
});

test('a value that was changed anywhere, cut, or moved to another key does not open', async () => {
  const { inner, store, stored } = await filled();
  const put = (name: string, bytes: Buffer) => inner.commit({ puts: [{ key: name, value: bytes }] });
  for (let at = 0; at < stored.length; at++) {
    const changed = Buffer.from(stored);
    changed[at]! ^= 1;
    await put('a', changed);
    await expect(store.get('a')).rejects.toEqual(sealed);
  }
  for (const length of [0, 3, 16, 31, stored.length - 1]) {
    await put('a', stored.subarray(0, length));
    await expect(store.list({ prefix: '' })).rejects.toEqual(sealed);
  }
  await put('b', stored);
  await expect(store.get('b')).rejects.toEqual(sealed);
});

test('another key does not open it, and a key of the wrong size is refused', async () => {
  const { inner } = await filled();
  const other = encryptedStore(inner, Buffer.alloc(32, 2), seededEntropy('e'));
  await expect(other.get('a')).rejects.toEqual(sealed);
  expect(() => encryptedStore(inner, Buffer.alloc(16), seededEntropy('e'))).toThrow(/16 bytes/);
});

test('values of earlier terms stay readable, new ones take the last', async () => {
  const { inner, stored } = await filled();
  const later = encryptedStore(inner, keyring([key, Buffer.alloc(32, 2)]), seededEntropy('f'));
  expect((await later.get('a'))!.value).toEqual(value);
  await later.commit({ puts: [{ key: 'b', value }] });
  expect((await later.get('b'))!.value).toEqual(value);
  const raw = (await inner.get('b'))!.value;
  expect([stored.readUInt32BE(0), raw.readUInt32BE(0)]).toEqual([1, 2]);
  // The term is authenticated: one key's value does not pass for another's.
  raw.writeUInt32BE(1);
  await inner.commit({ puts: [{ key: 'b', value: raw }] });
  await expect(later.get('b')).rejects.toEqual(sealed);
  const earlier = encryptedStore(inner, key, seededEntropy('g'));
  await inner.commit({
    puts: [{ key: 'b', value: Buffer.concat([Buffer.from([0, 0, 0, 2]), stored.subarray(4)]) }],
  });
  await expect(earlier.get('b')).rejects.toEqual(sealed);
});

test('once the keys are forgotten nothing is read or written', async () => {
  const inner = memoryStore();
  const bytes = Buffer.from(key);
  const ring = keyring([bytes]);
  // What the keyring holds is its own.
  bytes.fill(0);
  const store = encryptedStore(inner, ring, seededEntropy('e'));
  await store.commit({ puts: [{ key: 'a', value }] });
  expect((await encryptedStore(inner, key, seededEntropy('e')).get('a'))!.value).toEqual(value);
  ring.forget();
  const forgotten = expect.objectContaining({ code: 'store.encryption.forgotten' });
  await expect(store.get('a')).rejects.toEqual(forgotten);
  await expect(store.list({ prefix: '' })).rejects.toEqual(forgotten);
  await expect(store.commit({ puts: [{ key: 'b', value }] })).rejects.toEqual(forgotten);
  expect(await inner.get('b')).toBeUndefined();
  expect(() => keyring([])).toThrow(/0 bytes/);
});

test('a key that is added takes the new values, and leaves the old ones readable', async () => {
  const inner = memoryStore();
  const ring = keyring([key]);
  const store = encryptedStore(inner, ring, seededEntropy('e'));
  await store.commit({ puts: [{ key: 'a', value }] });
  ring.add(Buffer.alloc(32, 9));
  expect(() => ring.add(Buffer.alloc(31))).toThrow('31 bytes');
  await store.commit({ puts: [{ key: 'b', value }] });
  expect((await store.list({ prefix: '' })).map((entry) => entry.value)).toEqual([value, value]);
  const terms = (await inner.list({ prefix: '' })).map((entry) => entry.value.readUInt32BE(0));
  expect(terms).toEqual([1, 2]);
});
