import { expect, test } from 'vitest';
import { seededEntropy } from '../base/entropy.ts';
import { encryptedStore } from './encrypted.ts';
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
