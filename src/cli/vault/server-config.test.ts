import { expect, test } from 'vitest';
import { readServerConfig } from './server-config.ts';

const listener = 'listener "tcp" {\n  address = "127.0.0.1:8300"\n  tls_disable = true\n}\n';
const storage = 'storage "file" { path = "/var/lib/capstan" }\n';

test('a configuration as people have it', () => {
  const source = `# ours
${listener}${storage}api_addr = "http://127.0.0.1:8300"
log_level = "warn"
disable_mlock = true
ui = false
`;
  expect(readServerConfig(source)).toEqual({
    listen: { host: '127.0.0.1', port: 8_300 },
    tls: undefined,
    storagePath: '/var/lib/capstan',
    apiAddress: 'http://127.0.0.1:8300',
    logLevel: 'warn',
  });
});

test('TLS is on where it is not put off, and takes both files', () => {
  const source = (lines: string) => `listener "tcp" {\n${lines}\n}\n${storage}`;
  const files = 'tls_cert_file = "a.pem"\ntls_key_file = "a.key"';
  expect(readServerConfig(source(files))).toMatchObject({
    listen: { host: '127.0.0.1', port: 8_200 },
    tls: { certFile: 'a.pem', keyFile: 'a.key' },
  });
  expect(readServerConfig(source(`${files}\ntls_disable = "false"`)).tls).toBeDefined();
  for (const off of ['1', '"1"', 'true', '"true"']) {
    expect(readServerConfig(source(`tls_disable = ${off}`)).tls).toBeUndefined();
  }
  expect(() => readServerConfig(source(''))).toThrow('listener "tcp": tls_cert_file is missing');
  expect(() => readServerConfig(source('tls_cert_file = "a"'))).toThrow('tls_key_file is missing');
});

test('JSON says the same', () => {
  const json = {
    listener: [{ tcp: { address: '[::1]:8200', tls_disable: 1 } }],
    storage: { capstan: { path: 'data' } },
  };
  expect(readServerConfig(JSON.stringify(json))).toMatchObject({
    listen: { host: '::1', port: 8_200 },
    storagePath: 'data',
  });
});

test.each([
  ['telemetry { statsd_address = "a" }', 'telemetry (line 6) is not supported'],
  ['seal "awskms" { region = "a" }', 'seal "awskms" (line 6) is not supported'],
  ['cluster_addr = "https://a:8201"', 'cluster_addr (line 6) is not supported'],
  ['disable_mlock = false', 'memory is not locked here; set it to true'],
  ['ui = true', 'there is no user interface here; set it to false'],
  ['api_addr = 5', 'api_addr takes a text in quotes'],
  ['log_level = "a"\nlog_level = "b"', 'log_level may be set once only'],
  [storage, 'there may be one storage only'],
  ['listener "unix" { address = "/a" }', 'there may be one listener only'],
  ['}', 'At 6:1'],
])('%s is refused by name', (line, message) => {
  expect(() => readServerConfig(`${listener}${storage}${line}`)).toThrow(message);
});

test('what is missing or of another kind is told', () => {
  expect(() => readServerConfig(storage)).toThrow('listener "tcp" { ... } is missing');
  expect(() => readServerConfig(listener)).toThrow(
    'storage "file" { ... } or storage "capstan" { ... } is missing',
  );
  expect(() => readServerConfig(`${listener}storage "raft" { path = "a" }`)).toThrow(
    'storage "raft" (line 5) is not supported; use storage "file"',
  );
  expect(() => readServerConfig(`${listener}storage "file" {}`)).toThrow('storage "file": path is missing');
  expect(() => readServerConfig(`${listener}storage "file" { path = "a"\n node_id = "b" }`)).toThrow(
    'storage "file": node_id (line 6) is not supported',
  );
});
