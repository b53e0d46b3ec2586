import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { SecretText } from '../src/base/secret.ts';
import { attribute, classes } from '../src/vault/pkcs11/constants.ts';
import { openCryptoki } from '../src/vault/pkcs11/cryptoki.ts';
import { pkcs11Library } from '../src/vault/pkcs11/library.ts';
import { type Running, root, start } from './support/capstan.ts';
import { type SoftToken, softHsmLibrary, softHsmThere, softToken, tokenPin } from './support/soft-hsm.ts';
import { callVault, type VaultReply } from './support/vault.ts';

const there = softHsmThere('a CA with its key in an HSM');

const cleaning: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).toReversed()) await clean();
});

interface Server {
  call: (method: string, path: string, body?: unknown) => Promise<VaultReply>;
  address: string;
  running: Running;
  kill: () => Promise<void>;
}

const staticSeal = 'seal "static" {\n  current_key_id = "1"\n  current_key = "file://seal.key"\n}\n';
const hsmSeal =
  `seal "pkcs11" {\n  lib = "${softHsmLibrary}"\n  token_label = "capstan"\n  pin = "${tokenPin}"\n` +
  '  key_label = "seal"\n  generate_key = true\n}\n';

/** A server with a seal of its own, unsealed; `root` is made where there is none yet. */
async function serve(at: SoftToken, { root: known = '', library = softHsmLibrary, seal = staticSeal } = {}) {
  writeFileSync(join(at.path, 'seal.key'), Buffer.alloc(32, 7));
  writeFileSync(
    join(at.path, 'vault.hcl'),
    `listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\nstorage "file" {\n  path = "data"\n}\n` +
      seal +
      `kms_library "pkcs11" {\n  name = "hsm"\n  library = "${library}"\n}\n`,
  );
  const running = start(['vault', 'server', '-config=vault.hcl'], { cwd: at.path, env: at.env });
  const kill = async () => {
    running.child.kill('SIGKILL');
    await running.finished;
  };
  cleaning.push(kill);
  const [, address] = await running.printed(/Api Address: (\S+)\n[\s\S]*server started!/);
  let token = known;
  if (token === '') {
    const init = await callVault(address!, {
      ...{ method: 'PUT', path: 'sys/init', token: '' },
      body: { recovery_shares: 1, recovery_threshold: 1 },
    });
    token = init.body.root_token as string;
  }
  const server: Server = {
    call: (method, path, body) => callVault(address!, { method, path, body, token }),
    ...{ address: address!, running, kill },
  };
  return { ...server, root: token };
}

function token(): SoftToken {
  const made = softToken();
  cleaning.push(made.remove);
  return made;
}

async function done(reply: Promise<VaultReply>): Promise<VaultReply> {
  const answered = await reply;
  expect(answered.errors).toEqual([]);
  return answered;
}

const ecKey = { mechanism: '0x1041', curve: 'P384' };

async function managedKey({ call }: Server, name: string, kind: Record<string, unknown>): Promise<void> {
  const body = { library: 'hsm', token_label: 'capstan', pin: tokenPin, key_label: name, ...kind };
  await done(call('POST', `sys/managed-keys/pkcs11/${name}`, { allow_generate_key: true, ...body }));
}

async function mount({ call }: Server, path: string, keys: readonly string[]): Promise<void> {
  const config = { max_lease_ttl: '87600h', allowed_managed_keys: keys };
  await done(call('POST', `sys/mounts/${path}`, { type: 'pki', config }));
}

function file(at: SoftToken, name: string, content: string | Buffer): string {
  const path = join(at.path, name);
  writeFileSync(path, content);
  return path;
}

function openssl(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  expect([status, stderr.replaceAll(/^(verify OK|Response verify OK)\n/gm, '')]).toEqual([
    0,
    expect.anything(),
  ]);
  return `${stdout}${stderr}`;
}

test.runIf(there).each([
  ['P-384', ecKey, 'ecdsa-with-SHA384'],
  ['RSA', { mechanism: '0x0001', key_bits: 3072 }, 'sha256WithRSAEncryption'],
  ['RSA with PSS', { mechanism: '0x000D', key_bits: 2048 }, 'rsassaPss'],
])('a CA by %s in an HSM signs certificates, CRLs and OCSP answers', async (_name, kind, algorithm) => {
  const at = token();
  let server = await serve(at);
  await managedKey(server, 'root', kind);
  await managedKey(server, 'mid', kind);
  await mount(server, 'pki', ['root']);
  await mount(server, 'mid', ['mid']);
  const root = await done(
    server.call('POST', 'pki/root/generate/kms', {
      managed_key_name: 'root',
      common_name: 'root',
      ttl: '1000h',
    }),
  );
  expect(root.data).not.toHaveProperty('private_key');
  const key = await done(server.call('GET', `pki/key/${root.data.key_id as string}`));
  expect(key.data).toMatchObject({
    managed_key_name: 'root',
    managed_key_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
  const csr = await done(
    server.call('POST', 'mid/intermediate/generate/kms', { managed_key_name: 'mid', common_name: 'mid' }),
  );
  const mid = await done(
    server.call('POST', 'pki/root/sign-intermediate', { csr: csr.data.csr, common_name: 'mid', ttl: '500h' }),
  );
  await done(server.call('POST', 'mid/intermediate/set-signed', { certificate: mid.data.certificate }));
  await server.kill();

  // Another process finds it all again.
  server = await serve(at, { root: server.root });
  await done(server.call('POST', 'mid/roles/web', { allow_any_name: true, key_type: 'ec', key_bits: 256 }));
  const leaf = await done(server.call('POST', 'mid/issue/web', { common_name: 'leaf', ttl: '1h' }));
  const rootFile = file(at, 'root.pem', `${root.data.certificate as string}\n`);
  const midFile = file(at, 'mid.pem', `${mid.data.certificate as string}\n`);
  const leafFile = file(at, 'leaf.pem', `${leaf.data.certificate as string}\n`);
  openssl('verify', '-x509_strict', '-CAfile', rootFile, '-untrusted', midFile, leafFile);
  expect(openssl('x509', '-in', rootFile, '-noout', '-text')).toContain(`Signature Algorithm: ${algorithm}`);
  expect(openssl('x509', '-in', leafFile, '-noout', '-text')).toContain(`Signature Algorithm: ${algorithm}`);
  openssl('req', '-verify', '-noout', '-in', file(at, 'csr.pem', `${csr.data.csr as string}\n`));

  const serial = leaf.data.serial_number as string;
  await done(server.call('POST', 'mid/revoke', { serial_number: serial }));
  const crl = await fetch(`${server.address}/v1/mid/crl/pem`).then((reply) => reply.text());
  const crlFile = file(at, 'crl.pem', crl);
  expect(openssl('crl', '-in', crlFile, '-CAfile', midFile, '-noout', '-text')).toContain(
    serial.replaceAll(':', '').toUpperCase(),
  );
  const asked = join(at.path, 'ocsp.der');
  openssl('ocsp', '-issuer', midFile, '-cert', leafFile, '-no_nonce', '-reqout', asked);
  const answer = await fetch(`${server.address}/v1/mid/ocsp`, {
    method: 'POST',
    headers: { 'content-type': 'application/ocsp-request' },
    body: readFileSync(asked),
  });
  const told = file(at, 'answer.der', Buffer.from(await answer.arrayBuffer()));
  const read = ['-respin', told, '-issuer', midFile, '-cert', leafFile, '-partial_chain'];
  expect(openssl('ocsp', ...read, '-CAfile', midFile)).toContain('leaf.pem: revoked');
});

test.runIf(there)('the key is nowhere but in the HSM, and the PIN is told to nobody', async () => {
  const at = token();
  const server = await serve(at);
  const log = join(at.path, 'audit.log');
  await done(server.call('POST', 'sys/audit/file', { type: 'file', options: { file_path: log } }));
  await managedKey(server, 'root', ecKey);
  await mount(server, 'pki', ['root']);
  const shown = await done(server.call('GET', 'sys/managed-keys/pkcs11/ROOT'));
  expect(shown.data).toMatchObject({ pin: 'redacted', library: 'hsm', mechanism: 0x1041, curve: 'P384' });
  expect((await done(server.call('LIST', 'sys/managed-keys/pkcs11'))).data).toEqual({ keys: ['root'] });
  // Made once, whoever asks at the same time.
  const test = () => server.call('POST', 'sys/managed-keys/pkcs11/root/test/sign');
  for (const reply of await Promise.all([test(), test(), test()])) expect(reply.status).toBe(204);
  const made = await done(
    server.call('POST', 'pki/keys/generate/kms', { managed_key_name: 'root', key_name: 'hsm' }),
  );
  expect(made.data).toMatchObject({ key_name: 'hsm', key_type: 'ec' });
  const named = { key_ref: 'hsm', common_name: 'root' };
  await done(server.call('POST', 'pki/root/generate/existing', named));
  for (const text of [readFileSync(log, 'utf8'), server.running.stderr(), server.running.stdout()]) {
    expect(text).not.toContain(tokenPin);
  }
  for (const name of readdirSync(join(at.path, 'data'))) {
    expect(readFileSync(join(at.path, 'data', name)).includes('PRIVATE KEY')).toBe(false);
  }
  await server.kill();

  // Asked directly, the token tells neither the number nor lets it out.
  Object.assign(process.env, at.env);
  const library = pkcs11Library(() => openCryptoki(softHsmLibrary));
  const settings = { tokenLabel: 'capstan', pin: new SecretText(tokenPin) };
  const told = await library.use(settings, async (session) => {
    const handle = await session.find([[attribute.class, classes.private]]);
    const value = 0x011;
    return session.attributes(handle!, [value, attribute.sensitive, attribute.extractable]);
  });
  expect(told).toEqual([undefined, Buffer.from([1]), Buffer.from([0])]);
});

test.runIf(there)('an HSM that is away is told clearly, and found again when it is back', async () => {
  const at = token();
  let server = await serve(at);
  await managedKey(server, 'root', ecKey);
  await mount(server, 'pki', ['root']);
  await done(server.call('POST', 'pki/root/generate/kms', { managed_key_name: 'root', common_name: 'root' }));
  await done(server.call('POST', 'pki/roles/web', { allow_any_name: true, key_type: 'ec' }));
  const issue = () => server.call('POST', 'pki/issue/web', { common_name: 'leaf', ttl: '1h' });
  await done(issue());

  const issuer = await done(server.call('GET', 'pki/issuer/default'));
  const leaf = await done(issue());
  const issuerFile = file(at, 'issuer.pem', `${issuer.data.certificate as string}\n`);
  const leafFile = file(at, 'leaf.pem', `${leaf.data.certificate as string}\n`);
  const asked = join(at.path, 'ocsp.der');
  openssl('ocsp', '-issuer', issuerFile, '-cert', leafFile, '-no_nonce', '-reqout', asked);
  const body = readFileSync(asked);
  const tokens = join(at.path, 'tokens');
  renameSync(tokens, `${tokens}.away`);
  const refused = await issue();
  expect([refused.status, refused.errors]).toEqual([
    503,
    ["the managed key is out of reach: the server's log tells why"],
  ]);
  expect(server.running.stderr()).toMatch(/the managed key \\"root\\" cannot be used: /);
  const headers = { 'content-type': 'application/ocsp-request' };
  const answer = await fetch(`${server.address}/v1/pki/ocsp`, { method: 'POST', headers, body });
  // OCSPResponse with the status tryLater (RFC 6960 section 4.2.1).
  expect(Buffer.from(await answer.arrayBuffer()).toString('hex')).toBe('30030a0103');
  const why = await server.call('POST', 'sys/managed-keys/pkcs11/root/test/sign');
  expect([why.status, why.errors.join()]).toEqual([500, expect.stringContaining('cannot be used')]);
  renameSync(`${tokens}.away`, tokens);
  await done(issue());

  // A server that starts without it, too; all that needs no signature is served.
  await server.kill();
  renameSync(tokens, `${tokens}.away`);
  server = await serve(at, { root: server.root });
  expect((await issue()).status).toBe(503);
  expect((await server.call('GET', 'pki/issuer/default')).status).toBe(200);
  renameSync(`${tokens}.away`, tokens);
  await done(issue());
  await server.kill();

  server = await serve(at, { root: server.root, library: '/nowhere.so' });
  expect((await issue()).status).toBe(503);
  expect(server.running.stderr()).toContain('/nowhere.so cannot be used');
});

test.runIf(there)('who may use a key, and what is refused', async () => {
  const at = token();
  const server = await serve(at);
  await managedKey(server, 'root', ecKey);
  await mount(server, 'pki', []);
  const generate = (more = {}) =>
    server.call('POST', 'pki/root/generate/kms', { common_name: 'root', managed_key_name: 'root', ...more });
  expect(await generate()).toMatchObject({
    status: 403,
    errors: [expect.stringContaining('not for this mount')],
  });
  await done(server.call('POST', 'sys/mounts/pki/tune', { allowed_managed_keys: 'root' }));
  expect((await server.call('DELETE', 'sys/managed-keys/pkcs11/root')).status).toBe(400);
  expect(await generate({ managed_key_name: 'none' })).toMatchObject({ status: 400 });
  expect(await generate({ managed_key_id: 'x' })).toMatchObject({ status: 400 });
  expect(await generate({ managed_key_name: '' })).toMatchObject({ status: 400 });
  expect(await generate({ key_type: 'ec' })).toMatchObject({ status: 400 });
  await done(generate());

  const put = (body: Record<string, unknown>) => server.call('POST', 'sys/managed-keys/pkcs11/other', body);
  const sound = { library: 'hsm', token_label: 'capstan', pin: '0000', key_label: 'other', ...ecKey };
  for (const wrong of [
    ...[
      { library: softHsmLibrary },
      { library: 'none' },
      { pin: '' },
      { token_label: '' },
      { key_label: '' },
    ],
    ...[{ mechanism: '0x0009' }, { allow_store_key: true }, { allow_replace_key: true }, { curve: 'P-1' }],
  ]) {
    expect([wrong, (await put({ ...sound, ...wrong })).status]).toEqual([wrong, 400]);
  }
  expect((await server.call('GET', 'sys/managed-keys/pkcs11/other')).status).toBe(404);

  // A wrong PIN is looked at though others are logged in, and once only: the token would lock.
  await done(put(sound));
  const attempt = () => server.call('POST', 'sys/managed-keys/pkcs11/other/test/sign');
  for (let times = 0; times < 5; times++) {
    expect(await attempt()).toMatchObject({
      status: 500,
      errors: [expect.stringMatching(/CKR_PIN_INCORRECT to C_Login; write the managed key anew/)],
    });
  }
  await done(put({ pin: tokenPin }));
  expect(await attempt()).toMatchObject({ status: 500, errors: [expect.stringContaining('no private key')] });
  await done(put({ allow_generate_key: true }));
  await done(attempt());
  expect((await server.call('DELETE', 'sys/managed-keys/pkcs11/other')).status).toBe(204);
});

test.runIf(there)('the seal and CAs share a token, whatever a third one does there', async () => {
  const at = token();
  let server = await serve(at, { seal: hsmSeal });
  await managedKey(server, 'root', ecKey);
  await managedKey(server, 'wrong', { ...ecKey, pin: '0000' });
  await mount(server, 'pki', ['root']);
  await done(server.call('POST', 'pki/root/generate/kms', { managed_key_name: 'root', common_name: 'root' }));
  await server.kill();
  server = await serve(at, { seal: hsmSeal, root: server.root });
  await done(server.call('POST', 'pki/roles/web', { allow_any_name: true, key_type: 'ec' }));
  const attempts = Array.from({ length: 12 }, (_, index) =>
    index % 3 === 0
      ? server.call('POST', 'sys/managed-keys/pkcs11/wrong/test/sign')
      : server.call('POST', 'pki/issue/web', { common_name: 'leaf', ttl: '1h' }),
  );
  const statuses = (await Promise.all(attempts)).map(({ status }) => status);
  expect(statuses).toEqual(Array.from({ length: 4 }, () => [500, 200, 200]).flat());
  const health = await server.call('GET', 'sys/seal-backend-status');
  expect(health.body).toMatchObject({ healthy: true });
});

test.runIf(there)(
  'a key that others brought into the HSM, by its id; a mount that loses it signs no more',
  async () => {
    const at = token();
    const pem = join(at.path, 'brought.pem');
    openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048', '-out', pem);
    const brought = spawnSync(
      'softhsm2-util',
      [
        ...['--import', pem, '--token', 'capstan', '--pin', tokenPin],
        ...['--label', 'brought', '--id', 'a1b2'],
      ],
      { env: { ...process.env, ...at.env } },
    );
    expect(brought.status).toBe(0);
    const server = await serve(at);
    const key = { mechanism: '0x0001', key_id: '0xA1B2', key_label: '', allow_generate_key: false };
    await managedKey(server, 'brought', key);
    await mount(server, 'pki', ['brought']);
    const root = await done(
      server.call('POST', 'pki/root/generate/kms', { managed_key_name: 'brought', common_name: 'root' }),
    );
    const publicKey = openssl('pkey', '-in', pem, '-pubout');
    const rootFile = file(at, 'root.pem', `${root.data.certificate as string}\n`);
    expect(openssl('x509', '-in', rootFile, '-noout', '-pubkey')).toBe(publicKey);

    await done(server.call('POST', 'pki/roles/web', { allow_any_name: true, key_type: 'ec' }));
    const issue = () => server.call('POST', 'pki/issue/web', { common_name: 'leaf', ttl: '1h' });
    await done(issue());
    await done(server.call('POST', 'sys/mounts/pki/tune', { allowed_managed_keys: '' }));
    expect((await issue()).status).toBe(403);
    await done(server.call('POST', 'sys/managed-keys/pkcs11/brought', { any_mount: true }));
    await done(issue());
    // The same place told of another key is not the CA's key any more.
    await done(server.call('POST', 'sys/managed-keys/pkcs11/brought', { key_id: 'ff', key_label: 'none' }));
    expect((await issue()).status).toBe(503);
  },
);

test.runIf(there)('a library stays loaded whatever is collected meanwhile', () => {
  const at = token();
  const script = `
    const { openCryptoki } = await import(${JSON.stringify(pathToFileURL(join(root, 'src/vault/pkcs11/cryptoki.ts')).href)});
    const cryptoki = await openCryptoki(${JSON.stringify(softHsmLibrary)});
    for (let round = 0; round < 10; round++) {
      await new Promise(setImmediate);
      gc();
      await cryptoki.call('C_GetSlotList', [1, null, Buffer.alloc(8)]);
    }`;
  const { status, signal, stderr } = spawnSync(
    process.execPath,
    ['--expose-gc', '--input-type=module', '--eval', script],
    { env: { ...process.env, ...at.env }, encoding: 'utf8' },
  );
  expect([status, signal, stderr]).toEqual([0, null, '']);
});
