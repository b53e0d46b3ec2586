import { expect, test } from 'vitest';
import { readServerConfig } from './server-config.ts';

const read = (source: string, env = {}) => readServerConfig(source, env);

const listener = 'listener "tcp" {\n  address = "127.0.0.1:8300"\n  tls_disable = true\n}\n';
const storage = 'storage "file" { path = "/var/lib/capstan" }\n';

test('a configuration as people have it', () => {
  const source = `# ours
${listener}${storage}api_addr = "http://127.0.0.1:8300"
log_level = "warn"
disable_mlock = true
ui = false
`;
  expect(read(source)).toEqual({
    listeners: [
      {
        at: { host: '127.0.0.1', port: 8_300 },
        tls: undefined,
        limits: { bodyBytes: 33_554_432, sendMs: 90_000, jsonDepth: 300 },
      },
    ],
    storage: { path: '/var/lib/capstan' },
    kmsLibraries: [],
    apiAddress: 'http://127.0.0.1:8300',
    logLevel: 'warn',
    logFormat: 'json',
    logFile: undefined,
  });
});

test('TLS is on where it is not put off, and takes both files', () => {
  const source = (lines: string) => `listener "tcp" {\n${lines}\n}\n${storage}`;
  const files = 'tls_cert_file = "a.pem"\ntls_key_file = "a.key"';
  expect(read(source(files)).listeners[0]).toMatchObject({
    at: { host: '127.0.0.1', port: 8_200 },
    tls: { certFile: 'a.pem', keyFile: 'a.key', minVersion: 'TLSv1.2', clientCertificates: 'asked' },
  });
  expect(read(source(`${files}\ntls_disable = "false"`)).listeners[0]!.tls).toBeDefined();
  for (const off of ['1', '"1"', 'true', '"true"']) {
    expect(read(source(`tls_disable = ${off}`)).listeners[0]!.tls).toBeUndefined();
  }
  expect(() => read(source(''))).toThrow('listener "tcp": tls_cert_file is missing');
  expect(() => read(source('tls_cert_file = "a"'))).toThrow('tls_key_file is missing');
});

test('JSON says the same', () => {
  const json = {
    listener: [{ tcp: { address: '[::1]:8200', tls_disable: 1 } }],
    storage: { capstan: { path: 'data' } },
  };
  expect(read(JSON.stringify(json))).toMatchObject({
    listeners: [{ at: { host: '::1', port: 8_200 } }],
    storage: { path: 'data' },
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
  ['log_format = "xml"', 'log_format "xml" is not known; use "json" or "standard"'],
  ['listener "udp" { address = "/a" }', 'listener "udp" (line 6) is not supported'],
  ['listener "unix" {}', 'listener "unix": address is missing'],
  ['}', 'At 6:1'],
])('%s is refused by name', (line, message) => {
  expect(() => read(`${listener}${storage}${line}`)).toThrow(message);
});

test('what is missing or of another kind is told', () => {
  expect(() => read(storage)).toThrow('listener "tcp" { ... } or listener "unix" { ... } is missing');
  expect(() => read(listener)).toThrow(
    'storage "file" { ... } or storage "capstan" { ... } or storage "postgresql" { ... } is missing',
  );
  expect(() => read(`${listener}storage "raft" { path = "a" }`)).toThrow(
    'storage "raft" (line 5) is not supported; use storage "file"',
  );
  expect(() => read(`${listener}storage "file" {}`)).toThrow('storage "file": path is missing');
  expect(() => read(`${listener}storage "file" { path = "a"\n node_id = "b" }`)).toThrow(
    'storage "file": node_id (line 6) is not supported',
  );
});

test('a database is told by its address, which the environment may hold instead', () => {
  const database = (lines: string) => `${listener}storage "postgresql" {\n${lines}\n}\n`;
  const url = (source: string, env = {}) => {
    const { storage: found } = read(source, env);
    return 'url' in found ? found.url.reveal() : undefined;
  };
  const written = database('connection_url = "postgres://a:b@c/d"\nha_enabled = "true"');
  expect(url(written)).toBe('postgres://a:b@c/d');
  expect(JSON.stringify(read(written))).not.toContain('a:b');
  const env = { VAULT_PG_CONNECTION_URL: 'postgres://e' };
  expect([url(written, env), url(database(''), env)]).toEqual(['postgres://e', 'postgres://e']);
  expect(() => read(database(''))).toThrow(
    'connection_url is missing, and VAULT_PG_CONNECTION_URL is not set',
  );
  expect(() => read(database('ha_enabled = "false"'), env)).toThrow('any number of nodes');
  expect(() => read(database('table = "a"'), env)).toThrow('storage "postgresql": table (line 6) is not');
});

test('several listeners, with what each takes', () => {
  const source = `${listener}listener "unix" {
  address = "/run/capstan.sock"
  socket_mode = "660"
  socket_group = "1000"
  max_request_size = 1024
  max_request_duration = "5s"
  max_json_depth = "10"
}
listener "tcp" {
  address = "0.0.0.0:8201"
  tls_cert_file = "a.pem"
  tls_key_file = "a.key"
  tls_min_version = "tls13"
  tls_client_ca_file = "ca.pem"
  tls_require_and_verify_client_cert = true
}
log_format = "standard"
log_file = "vault.log"
${storage}`;
  const config = read(source);
  expect(config).toMatchObject({ logFormat: 'standard', logFile: 'vault.log' });
  expect(config.listeners.slice(1)).toEqual([
    {
      at: { path: '/run/capstan.sock', mode: 0o660, gid: 1000 },
      tls: undefined,
      limits: { bodyBytes: 1_024, sendMs: 5_000, jsonDepth: 10 },
    },
    {
      at: { host: '0.0.0.0', port: 8_201 },
      tls: {
        ...{ certFile: 'a.pem', keyFile: 'a.key', minVersion: 'TLSv1.3' },
        ...{ clientCaFile: 'ca.pem', clientCertificates: 'required' },
      },
      limits: { bodyBytes: 33_554_432, sendMs: 90_000, jsonDepth: 300 },
    },
  ]);
});

test.each([
  ['tls_min_version = "tls11"', 'tls_min_version "tls11" is not supported; use "tls12" or "tls13"'],
  [
    'tls_require_and_verify_client_cert = true\n tls_disable_client_certs = true',
    'tls_require_and_verify_client_cert and tls_disable_client_certs exclude each other',
  ],
  ['max_request_size = 0', 'max_request_size takes a whole number above zero'],
  ['max_request_duration = "-1s"', 'max_request_duration takes a duration above zero'],
  ['max_request_duration = "soon"', 'max_request_duration: time: invalid duration "soon"'],
  ['socket_mode = "660"', 'socket_mode (line 3) is not supported'],
])('a listener with %s is refused', (line, message) => {
  expect(() => read(`listener "tcp" {\n tls_disable = true\n ${line}\n}\n${storage}`)).toThrow(message);
});

test.each([
  ['socket_mode = "rw"', 'socket_mode takes three octal digits, such as "660"'],
  ['socket_user = "root"', 'socket_user takes a number, as "id" prints it'],
])('a socket with %s is refused', (line, message) => {
  expect(() => read(`listener "unix" {\n address = "/a"\n ${line}\n}\n${storage}`)).toThrow(message);
});

test('libraries for managed keys have a name each', () => {
  const block = (name: string, more = '') =>
    `kms_library "pkcs11" {\n  name = "${name}"\n  library = "/lib/${name}.so"\n${more}}\n`;
  const all = `${listener}${storage}`;
  expect(read(`${all}${block('HSM')}${block('other')}`).kmsLibraries).toEqual([
    { name: 'hsm', path: '/lib/HSM.so' },
    { name: 'other', path: '/lib/other.so' },
  ]);
  expect(() => read(`${all}${block('a')}${block('A')}`)).toThrow('there are several of the name "a"');
  expect(() => read(`${all}${block('')}`)).toThrow('kms_library "pkcs11": name is missing');
  expect(() => read(`${all}${block('a', '  pin = "1"\n')}`)).toThrow('kms_library "pkcs11": pin (line');
  expect(() => read(`${all}kms_library "awskms" { name = "a" }`)).toThrow('kms_library "awskms"');
});

const acme = 'tls_acme_domains = ["Vault.example", "::1"]\n tls_acme_cache_path = "acme"\n';

test('a certificate by ACME', () => {
  const source = (lines: string) => `listener "tcp" {\n ${lines}\n}\n${storage}`;
  expect(read(source(acme)).listeners[0]!.tls).toEqual({
    acme: {
      directory: 'https://acme-v02.api.letsencrypt.org/directory',
      names: [
        { type: 'dns', value: 'vault.example' },
        { type: 'ip', value: '::1' },
      ],
      cachePath: 'acme',
      caRoot: undefined,
      email: '',
      binding: undefined,
      keySpec: { type: 'ec', curve: 'P-256' },
      challengeTypes: ['tls-alpn-01', 'http-01'],
    },
    ...{ minVersion: 'TLSv1.2', clientCaFile: undefined, clientCertificates: 'asked' },
  });
  const all = source(`${acme} tls_acme_ca_directory = "http://127.0.0.1:8200/v1/pki/acme/directory"
 tls_acme_ca_root = "root.pem"
 tls_acme_email = "ops@example.com"
 tls_acme_eab_key_id = "id"
 tls_acme_eab_mac_key = "c2VjcmV0"
 tls_acme_key_type = "rsa4096"
 tls_acme_disable_http_challenge = true`);
  expect(JSON.stringify(read(all))).not.toContain('c2VjcmV0');
  expect(read(all).listeners[0]!.tls).toMatchObject({
    acme: {
      ...{ caRoot: 'root.pem', email: 'ops@example.com', binding: { keyId: 'id' } },
      ...{ keySpec: { type: 'rsa', bits: 4_096 }, challengeTypes: ['tls-alpn-01'] },
    },
  });
});

test.each([
  ['tls_acme_ca_directory = ""', 'tls_cert_file is missing; give it, or tls_acme_domains'],
  ['tls_acme_ca_directory = "acme"', 'tls_acme_ca_directory takes a URL'],
  ['tls_acme_email = "ops"', 'tls_acme_email takes one address'],
  ['tls_acme_key_type = "p521"', 'tls_acme_key_type "p521" is not known; use one of ed25519, p256'],
  ['tls_acme_eab_key_id = "a"', 'tls_acme_eab_key_id and tls_acme_eab_mac_key go together'],
  ['tls_acme_eab_key_id = "a"\n tls_acme_eab_mac_key = "!"', 'tls_acme_eab_mac_key takes base64url'],
  [
    'tls_acme_disable_http_challenge = true\n tls_acme_disable_alpn_challenge = 1',
    "one of ACME's challenges must be left",
  ],
  ['tls_cert_file = "a"', 'tls_cert_file and tls_acme_domains exclude each other'],
  ['tls_acme_test_ca_directory = "https://a"', 'tls_acme_test_ca_directory (line 4) is not supported'],
])('ACME with %s is refused', (line, message) => {
  expect(() => read(`listener "tcp" {\n ${acme} ${line}\n}\n${storage}`)).toThrow(message);
});

test.each([
  ['tls_acme_cache_path = "a"', 'tls_acme_domains is missing'],
  ['tls_acme_domains = ["a.example"]', 'tls_acme_cache_path is missing'],
  ['tls_acme_cache_path = "a"\n tls_acme_domains = ["*.a.example"]', '*.a.example can only be proven by DNS'],
  ['tls_acme_cache_path = "a"\n tls_acme_domains = ["a b"]', 'tls_acme_domains: "a b" cannot be certified'],
  ['tls_acme_domains = "a.example"', 'tls_acme_domains takes a list of texts'],
])('a listener with %s alone is refused', (line, message) => {
  expect(() => read(`listener "tcp" {\n ${line}\n}\n${storage}`)).toThrow(message);
});
