import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededEntropy } from '../../src/base/entropy.ts';
import { embeddedStore } from '../../src/store/embedded.ts';
import { encryptedStore } from '../../src/store/encrypted.ts';
import { memoryStore } from '../../src/store/memory.ts';
import { storeContract } from './store.ts';

const folder = mkdtempSync(join(tmpdir(), 'capstan-store-'));
let count = 0;
const newPath = () => join(folder, `${count++}`, 'store.db');
const key = Buffer.alloc(32, 7);

storeContract('memory', async () => memoryStore());
storeContract('embedded', async () => embeddedStore({ path: newPath() }));
storeContract('encrypted over memory', async () => encryptedStore(memoryStore(), key, seededEntropy('a')));
storeContract('encrypted over embedded', async () =>
  encryptedStore(embeddedStore({ path: newPath() }), key, seededEntropy('b')),
);
