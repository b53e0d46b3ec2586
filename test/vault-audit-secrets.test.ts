import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestVault, testVault } from './support/vault.ts';

// Whatever is wrong with a secret that is sent, and in whatever form it comes, neither audit log nor error repeats it.

let vault: TestVault;
let log = '';

beforeAll(async () => {
  vault = await testVault({
    openSink: () => ({
      write: async (line) => void (log += line),
      reopen: () => Promise.resolve(),
      close: () => Promise.resolve(),
    }),
  });
  await vault.call('PUT', 'sys/audit/all', { type: 'file', options: { file_path: '/dev/null' } });
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
  await vault.call('POST', 'pki/root/generate/internal', { common_name: 'root', key_type: 'ec' });
  await vault.call('POST', 'pki/roles/x', { key_type: 'ec', allow_any_name: true });
  for (const type of ['approle', 'kubernetes', 'jwt', 'cert']) {
    await vault.call('POST', `sys/auth/${type}`, { type });
  }
  await vault.call('POST', 'auth/approle/role/x', {});
  const { data } = await vault.call('GET', 'auth/approle/role/x/role-id');
  roleId = data.role_id as string;
});
afterAll(() => vault.close());

let roleId: string;
const secretFields = [
  ...['csr', 'encoded_token', 'id', 'jwt', 'key', 'oidc_client_secret', 'otp', 'pem_bundle', 'pin'],
  ...['private_key', 'secret_id', 'token', 'token_reviewer_jwt'],
];
const secret = 'SESAME0'.repeat(20);
const pem = `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----\n`;
const forms = [
  secret,
  [secret, secret],
  { a: secret },
  [{ a: secret }],
  pem,
  `a=${secret}`,
  `${secret}.e30.x`,
];

interface Described {
  post?: {
    requestBody?: { content: { 'application/json': { schema: { properties?: Record<string, unknown> } } } };
  };
}

async function pathsWithSecrets(): Promise<[string, string][]> {
  const { body } = await vault.call('GET', 'sys/internal/specs/openapi');
  return Object.entries(body.paths as Record<string, Described>).flatMap(([path, { post }]) => {
    const { properties = {} } = post?.requestBody?.content['application/json'].schema ?? {};
    const names = Object.keys(properties).filter((name) => secretFields.includes(name));
    return names.map((name): [string, string] => [path.slice(1).replaceAll(/\{\w+\}/g, 'x'), name]);
  });
}

test('secrets in all forms are masked, and errors say nothing of them', async () => {
  const paths = await pathsWithSecrets();
  expect(paths.length).toBeGreaterThan(30);
  for (const [path, name] of paths) {
    for (const form of forms) {
      log = '';
      const rest = name === 'secret_id' ? { role_id: roleId } : {};
      const { errors } = await vault.call('POST', path, { ...rest, role: 'x', [name]: form });
      expect([path, name, errors.join().includes('SESAME')]).toEqual([path, name, false]);
      expect([path, name, log.includes(`"${path}"`), log.includes('SESAME')]).toEqual([
        path,
        name,
        true,
        false,
      ]);
    }
  }
});
