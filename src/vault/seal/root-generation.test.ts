import * as fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import {
  alteredShare,
  type SealedServer,
  type SealedServerSettings,
  sealedServer,
  unsealed,
} from '../../../test/support/sealed-server.ts';
import { encodeToken, otpLength } from './root-generation.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function start(settings?: SealedServerSettings): Promise<SealedServer> {
  const server = await sealedServer(settings);
  closing.push(() => server.close());
  return server;
}

function decode(encoded: string, otp: string): string {
  return Buffer.from(Buffer.from(encoded, 'base64').map((byte, at) => byte ^ otp.charCodeAt(at))).toString();
}

const nothing = {
  ...{ nonce: '', started: false, progress: 0, required: 2, complete: false },
  ...{ encoded_token: '', encoded_root_token: '', pgp_fingerprint: '', otp: '', otp_length: 28 },
};

test('enough shares make a root token, told only to who has the one-time password', async () => {
  const server = await start();
  const { call } = server;
  const { keys, root } = await unsealed(server);
  expect((await call('GET', 'sys/generate-root/attempt')).body).toEqual(nothing);
  const begun = (await call('PUT', 'sys/generate-root/attempt')).body;
  const { nonce } = begun;
  const otp = begun.otp as string;
  expect(otp).toMatch(/^[0-9A-Za-z]{28}$/);
  expect(begun).toEqual({ ...nothing, nonce, started: true, otp });
  // Nobody is told it again.
  expect((await call('GET', 'sys/generate-root/attempt')).body).toEqual({ ...nothing, nonce, started: true });
  expect((await call('PUT', 'sys/generate-root/attempt')).errors).toEqual([
    'root generation already in progress',
  ]);
  const first = (await call('PUT', 'sys/generate-root/update', { key: keys[0], nonce })).body;
  expect(first).toMatchObject({ nonce, started: true, progress: 1, required: 2, complete: false });
  expect((await call('PUT', 'sys/generate-root/update', { key: keys[0], nonce })).errors).toEqual([
    'given key has already been provided during this generation operation',
  ]);
  const last = (await call('PUT', 'sys/generate-root/update', { key: keys[2], nonce })).body;
  expect(last).toMatchObject({ complete: true, progress: 2, encoded_root_token: last.encoded_token });
  const token = decode(last.encoded_token as string, otp);
  expect(token).toMatch(/^hvs\.[0-9A-Za-z]{24}$/);
  expect(last.encoded_token).not.toMatch(/=/);
  const self = await call('GET', 'auth/token/lookup-self', undefined, token);
  expect(self.data).toMatchObject({ path: 'auth/token/root', policies: ['root'], ttl: 0, orphan: true });
  // The one before lives on, and the attempt is over.
  expect((await call('GET', 'auth/token/lookup-self', undefined, root)).status).toBe(200);
  expect((await call('GET', 'sys/generate-root/attempt')).body).toEqual(nothing);
  expect((await call('PUT', 'sys/generate-root/update', { key: keys[0], nonce })).errors).toEqual([
    'no root generation in progress',
  ]);
});

test('the server decodes it too, for who has both parts', async () => {
  const server = await start();
  const { root } = await unsealed(server);
  const otp = 'p'.repeat(28);
  const encoded = encodeToken(root.slice(0, 28), Buffer.from(otp));
  const decodes = (body: unknown) => server.call('PUT', 'sys/decode-token', body);
  expect((await decodes({ encoded_token: encoded, otp })).data).toEqual({ token: root.slice(0, 28) });
  expect((await decodes({ encoded_token: encoded, otp: 'p' })).errors).toEqual([
    'error xoring token: length of byte slices is not equivalent: 28 != 1',
  ]);
  expect((await decodes({ encoded_token: '?', otp })).status).toBe(400);
});

test('wrong shares make nothing', async () => {
  const server = await start();
  const { keys } = await unsealed(server);
  const { nonce } = (await server.call('PUT', 'sys/generate-root/attempt', { otp: 'x'.repeat(28) })).body;
  const revision = await server.store.revision();
  await server.call('PUT', 'sys/generate-root/update', { key: alteredShare(keys[0]!), nonce });
  const refused = await server.call('PUT', 'sys/generate-root/update', { key: keys[1], nonce });
  expect([refused.status, refused.errors]).toEqual([
    400,
    [
      'root generation aborted: unable to authenticate: unable to retrieve stored keys: invalid key: failed to decrypt keys from storage: cipher: message authentication failed',
    ],
  ]);
  expect((await server.call('GET', 'sys/generate-root/attempt')).body).toMatchObject({
    started: true,
    progress: 0,
  });
  await server.call('PUT', 'sys/generate-root/update', { key: keys[0], nonce });
  const same = `${alteredShare(keys[1]!).slice(0, -2)}${keys[0]!.slice(-2)}`;
  expect((await server.call('PUT', 'sys/generate-root/update', { key: same, nonce })).errors).toEqual([
    'failed to compute root key: duplicate part detected',
  ]);
  expect((await server.call('DELETE', 'sys/generate-root/attempt')).status).toBe(204);
  expect(await server.store.revision()).toBe(revision);
});

test.each([
  ['attempt', { otp: 'abc' }, 'OTP string has incorrect length'],
  ['attempt', { pgp_key: 'k' }, 'pgp_key: keys are not encrypted with PGP here; leave it out'],
  ['update', {}, "'key' must be specified in request body as JSON"],
  ['update', { key: 'QUJDRA==' }, 'invalid key: key is shorter than minimum 16 bytes'],
  ['update', { key: 'ab'.repeat(32) }, 'no root generation in progress'],
])('PUT sys/generate-root/%s with %j is refused', async (path, body, message) => {
  const server = await start();
  await unsealed(server, 1, 1);
  const reply = await server.call('PUT', `sys/generate-root/${path}`, body);
  expect([reply.status, reply.errors]).toEqual([400, [message]]);
});

test('by OpenBao’s paths the same takes a token', async () => {
  const server = await start();
  const { call } = server;
  const { keys, root } = await unsealed(server);
  expect((await call('PUT', 'sys/generate-root-token/attempt')).status).toBe(403);
  const { nonce, otp } = (await call('PUT', 'sys/generate-root-token/attempt', {}, root)).data;
  await call('PUT', 'sys/generate-root-token/update', { key: keys[0], nonce }, root);
  const last = (await call('PUT', 'sys/generate-root-token/update', { key: keys[1], nonce }, root)).data;
  const token = decode(last.encoded_token as string, otp as string);
  expect((await call('GET', 'auth/token/lookup-self', undefined, token)).status).toBe(200);
  expect((await call('GET', 'sys/generate-root-token/attempt', undefined, root)).data.started).toBe(false);
  expect((await call('DELETE', 'sys/generate-root-token/attempt', undefined, root)).status).toBe(204);
});

test('whoever does it without a token is in the audit log, and no share is', async () => {
  const lines: string[] = [];
  const write = (line: string) => Promise.resolve(void lines.push(line));
  const nothing = () => Promise.resolve();
  const server = await start({ openSink: () => ({ write, reopen: nothing, close: nothing }) });
  const { call } = server;
  const { keys, root } = await unsealed(server);
  await call('PUT', 'sys/audit/log', { type: 'file', options: { file_path: '/log' } }, root);
  lines.length = 0;
  const { nonce, otp } = (await call('PUT', 'sys/generate-root/attempt')).body;
  for (const key of keys.slice(1)) await call('PUT', 'sys/generate-root/update', { key, nonce });
  const rekey = (await call('PUT', 'sys/rekey/init', { secret_shares: 1, secret_threshold: 1 })).body;
  await call('PUT', 'sys/rekey/update', { key: keys[0], nonce: rekey.nonce });
  const done = (await call('PUT', 'sys/rekey/update', { key: keys[1], nonce: rekey.nonce })).body;
  const logged = lines.map((line) => JSON.parse(line) as { type: string; request: { path: string } });
  expect(logged.map(({ type, request }) => `${type} ${request.path}`)).toEqual(
    ['generate-root/attempt', ...['update', 'update'].map((step) => `generate-root/${step}`)]
      .concat('rekey/init', 'rekey/update', 'rekey/update')
      .flatMap((path) => [`request sys/${path}`, `response sys/${path}`]),
  );
  for (const secret of [...keys, ...(done.keys as string[]), otp as string]) {
    expect(lines.join('')).not.toContain(secret);
  }
});

test('what is encoded is decoded by the same password', () => {
  const text = fc.string({
    unit: fc.integer({ min: 33, max: 126 }).map((code) => String.fromCharCode(code)),
    minLength: otpLength,
    maxLength: otpLength,
  });
  fc.assert(
    fc.property(text, text, (token, otp) => {
      expect(decode(encodeToken(token, Buffer.from(otp)), otp)).toBe(token);
    }),
  );
});
