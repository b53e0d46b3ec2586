import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openSealedStore } from '../src/app/sealed-store.ts';
import { systemEntropy } from '../src/base/entropy.ts';
import { type PrivateKey, readPrivateKey, writePrivateKey } from '../src/x509/key.ts';
import { run, temporaryFolder } from './support/capstan.ts';
import { keySearch } from './support/key-search.ts';
import { canTrace, recordingInto, writtenBytes } from './support/written-bytes.ts';

const folder = temporaryFolder();
afterAll(folder.remove);

/** Everything kept in the sealed store below `path`. */
async function kept(path: string): Promise<Buffer[]> {
  const store = openSealedStore(path, systemEntropy);
  const entries = await store.list({ prefix: '' });
  await store.close();
  return entries.map(({ value }) => value);
}

function filesBelow(path: string): Buffer[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile())
    .map((file) => readFileSync(file));
}

const scalarOf = (key: PrivateKey) => Buffer.from(key.key.export({ format: 'jwk' }).d!, 'base64url');

test.skipIf(!canTrace())("the root's private key is in nothing that any process ever writes", async () => {
  const data = join(folder.path, 'data');
  const traces = join(folder.path, 'traces');
  mkdirSync(traces);
  const args = ['--vault-address', '127.0.0.1:0', '--api-address', '127.0.0.1:0'];
  const { status, stdout, stderr } = await run(['up', '--once', '--data', data, ...args], {
    under: recordingInto(traces),
  });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });

  // The key, taken from where it lies encrypted, which takes both of the CA's files.
  const keyPem = (await kept(join(data, 'ca')))
    .map((value) => /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/.exec(value.toString())?.[0])
    .find((pem) => pem !== undefined)!
    .replaceAll('\\n', '\n');
  const key = readPrivateKey(keyPem);
  const search = keySearch(scalarOf(key));

  const recorded = writtenBytes(traces);
  const everything = [
    ...recorded,
    ...filesBelow(data),
    ...(await kept(join(data, 'cluster'))),
    Buffer.from(stdout),
  ];
  expect(everything.map(search).filter((found) => found !== undefined)).toEqual([]);

  // The recording and the search see what there is: the same for the public half finds it in the CA's answers, and
  // for the private half in each of its usual forms.
  const publicPoint = Buffer.from(key.publicKey.key.export({ format: 'jwk' }).x!, 'base64url');
  expect(recorded.map(keySearch(publicPoint)).filter((found) => found !== undefined)).not.toEqual([]);
  const { d } = key.key.export({ format: 'jwk' });
  for (const form of [keyPem, writePrivateKey(key, 'traditional'), JSON.stringify({ keyPem }), d!]) {
    expect(search(Buffer.from(`before ${form} after`))).toBeDefined();
  }
  expect(search(key.key.export({ format: 'der', type: 'pkcs8' }))).toBe('raw');
});
