import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { Fault } from '../base/fault.ts';
import { readKubeconfig } from './kubeconfig.ts';

const base64 = (text: string) => Buffer.from(text).toString('base64');

function config(parts: { user?: string; cluster?: string; current?: string }): string {
  return `
apiVersion: v1
kind: Config
current-context: ${parts.current ?? 'main'}
contexts:
- name: main
  context: { cluster: here, user: me, namespace: linkerd }
- name: other
  context: { cluster: there, user: nobody }
clusters:
- name: here
  cluster: ${parts.cluster ?? '{ server: "https://127.0.0.1:6443/" }'}
- name: there
  cluster: { server: "https://there:6443", insecure-skip-tls-verify: true, tls-server-name: api }
users:
- name: me
  user: ${parts.user ?? '{}'}
- name: nobody
  user: {}
`;
}

function faultOf(act: () => unknown): Fault {
  try {
    act();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('the current context gives server, CA, client certificate and namespace', () => {
  const access = readKubeconfig(
    config({
      cluster: `{ server: "https://127.0.0.1:6443/", certificate-authority-data: ${base64('CA')} }`,
      user: `{ client-certificate-data: ${base64('CERT')}, client-key-data: ${base64('KEY')} }`,
    }),
  );
  expect(access).toMatchObject({
    server: 'https://127.0.0.1:6443',
    ca: 'CA',
    clientCertificate: 'CERT',
    namespace: 'linkerd',
  });
  expect(access.clientKey?.reveal()).toBe('KEY');
  expect(inspect(access)).not.toContain('KEY');
  expect(access.insecure).toBeUndefined();
});

test('another context may be chosen, with its own server name and trust', () => {
  expect(readKubeconfig(config({}), { context: 'other' })).toEqual({
    server: 'https://there:6443',
    serverName: 'api',
    insecure: true,
  });
});

test('files are read through the reader, tokens trimmed and followed', () => {
  const files: Record<string, string> = { 'pki/ca.pem': 'CA', 'token.txt': 'secret\n' };
  const access = readKubeconfig(
    config({
      cluster: '{ server: "https://h:1", certificate-authority: pki/ca.pem }',
      user: '{ tokenFile: token.txt }',
    }),
    { readFile: (path) => files[path]! },
  );
  expect(access.ca).toBe('CA');
  expect(access.token?.reveal()).toBe('secret');
  files['token.txt'] = 'rotated';
  expect(access.token?.reveal()).toBe('rotated');
  expect(inspect(access)).not.toMatch(/secret|rotated/);
});

test.each([
  ['exec', '{ exec: { command: aws } }', 'credential plugins (exec) are not run'],
  ['auth-provider', '{ auth-provider: { name: gcp } }', 'auth-provider plugins are not run'],
  ['basic', '{ username: a, password: b }', 'basic authentication is not supported'],
  ['impersonation', '{ token: t, as: root }', 'impersonation is not supported'],
])('%s is refused by name', (_, user, why) => {
  const fault = faultOf(() => readKubeconfig(config({ user })));
  expect(fault.code).toBe('kube.kubeconfig.unsupported');
  expect(fault.message).toContain(why);
  expect(fault.message).toContain('user me');
});

test.each([
  ['no YAML', 'a: [', 'kube.kubeconfig.malformed'],
  ['no mapping', '- 1', 'kube.kubeconfig.malformed'],
  ['no current context', 'kind: Config', 'kube.kubeconfig.missing'],
  ['an unknown context', config({ current: 'gone' }), 'kube.kubeconfig.missing'],
  ['no server', config({ cluster: '{}' }), 'kube.kubeconfig.malformed'],
  [
    'a certificate without its key',
    config({ user: '{ client-certificate-data: QQ== }' }),
    'kube.kubeconfig.malformed',
  ],
  ['data that is not base64', config({ user: '{ client-key-data: "%%" }' }), 'kube.kubeconfig.malformed'],
  ['a file without a reader', config({ user: '{ client-key: f }' }), 'kube.kubeconfig.unsupported'],
])('%s is a fault', (_, text, code) => {
  expect(faultOf(() => readKubeconfig(text)).code).toBe(code);
});

test('a broken file does not give its keys away', () => {
  const fault = faultOf(() => readKubeconfig('users:\n- user: { token: hunter2\nx: [}'));
  expect(fault.message).not.toContain('hunter2');
});

test('an unknown context is answered with the known ones', () => {
  expect(faultOf(() => readKubeconfig(config({}), { context: 'x' })).fix).toBe('it has main, other');
});
