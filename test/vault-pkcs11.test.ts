import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { type Running, start, temporaryFolder } from './support/capstan.ts';
import { type SoftToken, softHsmLibrary, softHsmThere, softToken, tokenPin } from './support/soft-hsm.ts';
import { callVault, type VaultReply } from './support/vault.ts';

const there = softHsmThere('the PKCS#11 seal');

const cleaning: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const clean of cleaning.splice(0).toReversed()) await clean();
});

const pin = tokenPin;

function token(): Omit<SoftToken, 'remove'> {
  const { path, env, remove } = softToken();
  cleaning.push(remove);
  return { path, env };
}

interface Server {
  call: (method: string, path: string, body?: unknown, token?: string) => Promise<VaultReply>;
  running: Running;
  kill: () => Promise<void>;
}

interface Settings {
  seal?: string;
  env?: Record<string, string>;
}

async function serve(at: ReturnType<typeof token>, { seal = '', env = {} }: Settings = {}): Promise<Server> {
  const running = launch(at, { seal, env });
  const kill = async () => {
    running.child.kill('SIGKILL');
    await running.finished;
  };
  cleaning.push(kill);
  const [, address] = await running.printed(/Api Address: (\S+)\n[\s\S]*server started!/);
  return {
    call: (method, path, body, token = '') => callVault(address!, { method, path, body, token }),
    running,
    kill,
  };
}

function launch(at: ReturnType<typeof token>, { seal = '', env = {} }: Settings): Running {
  writeFileSync(
    join(at.path, 'vault.hcl'),
    `listener "tcp" {\n  address = "127.0.0.1:0"\n  tls_disable = true\n}\nstorage "file" {\n  path = "data"\n}\n` +
      `seal "pkcs11" {\n  lib = "${softHsmLibrary}"\n  token_label = "capstan"\n  key_label = "seal"\n${seal}}\n`,
  );
  const given = { VAULT_HSM_PIN: pin, ...at.env, ...env };
  return start(['vault', 'server', '-config=vault.hcl'], { cwd: at.path, env: given });
}

const initialise = (server: Server) =>
  server.call('PUT', 'sys/init', { recovery_shares: 1, recovery_threshold: 1 });

test.runIf(there).each([
  ['AES-GCM', '  generate_key = true\n'],
  // SoftHSM has OAEP with SHA-1 only.
  ['RSA-OAEP', '  generate_key = true\n  mechanism = "RSA_PKCS_OAEP"\n  rsa_oaep_hash = "sha1"\n'],
])('by %s with a key that an HSM makes and keeps, it opens whenever it starts', async (_name, seal) => {
  const at = token();
  let server = await serve(at, { seal });
  expect((await server.call('GET', 'sys/seal-status')).body).toMatchObject({
    type: 'pkcs11',
    recovery_seal: true,
  });
  const init = await initialise(server);
  expect(init.status).toBe(200);
  const root = init.body.root_token as string;
  await server.kill();
  // The key is there now: none is made.
  server = await serve(at, { seal: seal.replace('  generate_key = true\n', '') });
  expect((await server.call('GET', 'sys/health')).status).toBe(200);
  expect((await server.call('GET', 'auth/token/lookup-self', undefined, root)).status).toBe(200);
  await server.kill();
  const files = readdirSync(join(at.path, 'data')).map((name) =>
    readFileSync(join(at.path, 'data', name), 'latin1'),
  );
  expect(files.join('')).not.toContain(root);
  expect(server.running.stderr()).not.toContain(pin);

  // Another token's key of the same label opens nothing.
  const other = token();
  writeFileSync(join(at.path, 'softhsm2.conf'), readFileSync(other.env.SOFTHSM2_CONF));
  const strange = await serve(at, { seal });
  expect((await strange.call('GET', 'sys/health')).status).toBe(503);
});

test.runIf(there)('a wrong PIN is said so, and one from a file is as good as any', async () => {
  const at = token();
  let server = await serve(at, { seal: '  generate_key = true\n' });
  expect((await initialise(server)).status).toBe(200);
  await server.kill();
  const wrong = join(at.path, 'wrong.pin');
  writeFileSync(wrong, '0000\n');
  server = await serve(at, { seal: `  pin = "file://${wrong}"\n`, env: { VAULT_HSM_PIN: '' } });
  expect((await server.call('GET', 'sys/health')).status).toBe(503);
  expect(server.running.stderr()).toContain(
    'CKR_PIN_INCORRECT to C_Login; correct pin (or VAULT_HSM_PIN), and start again',
  );
  await server.kill();
  writeFileSync(wrong, `${pin}\n`);
  server = await serve(at, { seal: `  pin = "file://${wrong}"\n`, env: { VAULT_HSM_PIN: '' } });
  expect((await server.call('GET', 'sys/health')).status).toBe(200);
});

test.runIf(there)('without the key, the token or the library it says which', async () => {
  const at = token();
  const keyless = await serve(at);
  const refused = await initialise(keyless);
  expect([refused.status, refused.errors]).toEqual([
    503,
    ["the seal is out of reach: the server's log tells why"],
  ]);
  expect(keyless.running.stderr()).toContain('the token has no key labelled \\"seal\\" for this mechanism');
  expect((await keyless.call('GET', 'sys/health')).status).toBe(501);

  const lost = await serve(token(), {
    seal: '  generate_key = true\n',
    env: { VAULT_HSM_TOKEN_LABEL: 'other' },
  });
  expect((await initialise(lost)).status).toBe(503);
  expect(lost.running.stderr()).toContain('the HSM has no token labelled \\"other\\", only \\"capstan\\"');

  const bare = await launch(token(), { env: { VAULT_HSM_LIB: '/nowhere.so' } }).finished;
  expect([bare.status, bare.stderr]).toEqual([1, expect.stringContaining('/nowhere.so cannot be used')]);
});

test('without the package that reaches an HSM, it names it', async () => {
  const { path, remove } = temporaryFolder();
  cleaning.push(remove);
  const absent =
    'import { registerHooks } from "node:module";' +
    'registerHooks({ resolve(name, context, next) { if (name === "koffi") throw new Error("absent"); return next(name, context); } });';
  const { status, stderr } = await launch(
    { path, env: { SOFTHSM2_CONF: '' } },
    { env: { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(absent)}` } },
  ).finished;
  expect(status).toBe(1);
  expect(stderr).toContain(
    'PKCS#11 needs the package koffi, which is not installed; install it beside Capstan: npm install koffi@3',
  );
});
