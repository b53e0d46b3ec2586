import { createHash, X509Certificate } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exampleChain, exampleNow, issue } from '../../../test/support/example-chain.ts';
import { systemEntropy } from '../../base/entropy.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { certificatePem, fingerprint } from '../../x509/certificate.ts';
import { subjectAltName } from '../../x509/extension.ts';
import { writePrivateKey } from '../../x509/key.ts';
import { encodePem } from '../../x509/pem.ts';
import { printCertificateJson, printRequestJson } from '../../x509/print-json.ts';
import { printCertificateShort, printRequestShort } from '../../x509/print-short.ts';
import { printCertificate, printRequest } from '../../x509/print-text.ts';
import { requestPem } from '../../x509/request.ts';
import { run } from '../main.ts';

const { root, intermediate, leaf, request } = await exampleChain();
const stranger = await issue({ name: 'stranger', ca: true });
const local = await issue({
  name: 'localhost',
  issuer: intermediate,
  override: {
    extensions: [
      subjectAltName([
        { type: 'dns', value: 'localhost' },
        { type: 'ip', value: '127.0.0.1' },
      ]),
    ],
  },
});

const folder = mkdtempSync(join(tmpdir(), 'capstan-certificate-'));
const chain = [leaf, intermediate]
  .map(({ certificate }) => certificatePem(certificate))
  .join('a line between\n');
const files: Record<string, string | Buffer> = {
  'leaf.pem': certificatePem(leaf.certificate),
  'leaf.der': leaf.certificate.der,
  'chain.pem': chain,
  'root.pem': certificatePem(root.certificate),
  'other-root.pem': certificatePem(stranger.certificate),
  'request.pem': requestPem(request),
  'request.der': request.der,
  'key.pem': writePrivateKey(leaf.key, 'traditional'),
  'both.pem': writePrivateKey(leaf.key, 'pkcs8') + chain,
  'bom.pem': `\ufeff${chain}`,
  'empty.pem': '',
  'garbage.bin': Buffer.from('00ff00ff', 'hex'),
  'prose.txt': 'This is not a certificate.',
  'crl.pem': encodePem('X509 CRL', Buffer.from('3000', 'hex')),
  'cut.pem': certificatePem(leaf.certificate).slice(0, 200),
  'cut.der': leaf.certificate.der.subarray(0, 100),
};

async function capstan(args: readonly string[], stdin: string | Buffer = '', isTTY = false) {
  const output = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr') =>
    new Writable({
      write(chunk: Buffer, _, done) {
        output[name] += chunk.toString();
        done();
      },
    });
  const status = await run(['certificate', ...args], {
    stdin: Object.assign(Readable.from(stdin.length > 0 ? [stdin] : []), { isTTY }),
    stdout: sink('stdout'),
    stderr: sink('stderr'),
    env: {},
    program: ['capstan'],
    cwd: folder,
    clock: new ManualClock(exampleNow),
    entropy: systemEntropy,
    signal: new AbortController().signal,
  });
  return { status, ...output };
}

const prints = (stdout: string) => ({ status: 0, stdout, stderr: '' });
const fails = (line: string) => ({ status: 1, stdout: '', stderr: `capstan: ${line}\n` });

beforeAll(() => {
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  mkdirSync(join(folder, 'roots'));
  for (const name of ['root.pem', 'other-root.pem']) writeFileSync(join(folder, 'roots', name), files[name]!);
});
afterAll(() => rmSync(folder, { recursive: true }));

describe('inspect', () => {
  const both = [leaf.certificate, intermediate.certificate];

  test.each([
    [['leaf.pem'], printCertificate(leaf.certificate)],
    [['leaf.der'], printCertificate(leaf.certificate)],
    [['chain.pem'], printCertificate(leaf.certificate)],
    [['both.pem'], printCertificate(leaf.certificate)],
    [['bom.pem', '--bundle'], both.map((one) => printCertificate(one)).join('')],
    [['chain.pem', '--bundle', '--short'], both.map(printCertificateShort).join('')],
    [['leaf.pem', '--layout', 'classic'], printCertificate(leaf.certificate, { layout: 'classic' })],
    [['--format', 'json', 'chain.pem'], printCertificateJson([leaf.certificate])],
    [['--format=json', '--bundle', 'chain.pem'], printCertificateJson(both)],
    [['--format=json', '--bundle', 'leaf.pem'], printCertificateJson([leaf.certificate])],
    [['--format', 'pem', '--bundle', 'chain.pem'], both.map(certificatePem).join('')],
    [['--format', 'pem', 'leaf.der'], certificatePem(leaf.certificate)],
    [['request.pem'], printRequest(request)],
    [['request.der', '--short'], printRequestShort(request)],
    [['request.pem', '--format', 'json'], printRequestJson(request)],
    [['request.der', '--format', 'pem'], requestPem(request)],
  ])('%j', async (args, stdout) => {
    expect(await capstan(['inspect', ...args])).toEqual(prints(stdout));
  });

  test('stdin, as - or where nothing is named', async () => {
    const expected = prints(printCertificate(leaf.certificate));
    expect(await capstan(['inspect', '-'], files['chain.pem'])).toEqual(expected);
    expect(await capstan(['inspect'], files['leaf.der'])).toEqual(expected);
    expect((await capstan(['inspect'], '', true)).stderr).toContain(
      'no file is named, and nothing is piped in',
    );
  });

  test.each([
    [
      ['key.pem'],
      'key.pem holds a private key and no certificate; name the certificate that belongs to it; nothing',
    ],
    [['empty.pem'], 'empty.pem is empty'],
    [['garbage.bin'], 'garbage.bin holds neither PEM nor DER'],
    [['prose.txt'], 'prose.txt holds neither PEM nor DER'],
    [['crl.pem'], 'crl.pem holds no certificate and no certificate request, only X509 CRL'],
    [['cut.pem'], 'error parsing cut.pem: PEM block at line 1: BEGIN CERTIFICATE without its END'],
    [['cut.der'], 'error parsing cut.der: the certificate is malformed: not valid DER: at byte 0:'],
    [['missing.pem'], 'error reading missing.pem: no such file or directory'],
    [['roots'], 'error reading roots: it is a directory'],
    [['leaf.pem', 'root.pem'], 'one file or address at a time, not also root.pem;'],
    [['--format', 'yaml'], "invalid value 'yaml' for flag '--format'; options are text, json, pem;"],
    [['--layout', 'old'], "invalid value 'old' for flag '--layout'; options are current, classic;"],
    [['--short', '--format', 'pem'], "flag '--short' is incompatible with '--format pem';"],
    [['--nonsense'], "Unknown option '--nonsense'; see capstan certificate inspect --help"],
    [['https://'], '"https://" is not an address;'],
    [['tls://a b'], '"tls://a b" is not an address;'],
  ])('%j is refused in one line', async (args, message) => {
    const { status, stdout, stderr } = await capstan(['inspect', ...args]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(`capstan: ${message}`);
    expect(stderr.trimEnd()).not.toContain('\n');
  });

  test('a key by mistake leaves none of its bytes behind, in DER either', async () => {
    const der = leaf.key.key.export({ format: 'der', type: 'sec1' });
    const { status, stderr } = await capstan(['inspect'], der);
    expect(status).toBe(1);
    expect(stderr).toContain('stdin holds a private key and no certificate');
  });
});

describe('fingerprint', () => {
  const sha256 = (encoding: 'hex' | 'base64' | 'base64url') =>
    createHash('sha256').update(leaf.certificate.der).digest(encoding);

  test.each([
    [['leaf.pem'], `${sha256('hex')}\n`],
    [['chain.pem', '--bundle'], `0: ${sha256('hex')}\n1: ${fingerprint(intermediate.certificate)}\n`],
    [['leaf.pem', '--format', 'base64'], `${sha256('base64')}\n`],
    [['leaf.pem', '--format', 'base64-raw'], `${sha256('base64').replace('=', '')}\n`],
    [['leaf.pem', '--format', 'base64-url'], `${sha256('base64url')}=\n`],
    [['leaf.pem', '--format', 'base64-url-raw'], `${sha256('base64url')}\n`],
    [
      ['leaf.pem', '--sha1', '--insecure'],
      `${new X509Certificate(leaf.certificate.der).fingerprint.replaceAll(':', '').toLowerCase()}\n`,
    ],
    [['request.pem'], `${createHash('sha256').update(request.der).digest('hex')}\n`],
  ])('%j', async (args, stdout) => {
    expect(await capstan(['fingerprint', ...args])).toEqual(prints(stdout));
  });

  test('SHA-1 only for those who ask for it twice', async () => {
    expect((await capstan(['fingerprint', '--sha1', 'leaf.pem'])).stderr).toContain(
      "flag '--sha1' requires the '--insecure' flag",
    );
    expect((await capstan(['fingerprint', '--format', 'hexx', 'leaf.pem'])).status).toBe(1);
  });
});

describe('verify', () => {
  test('a valid chain is silent, and says so where asked to', async () => {
    for (const roots of ['root.pem', 'other-root.pem,root.pem', 'roots', join(folder, 'roots')]) {
      expect(await capstan(['verify', 'chain.pem', '--roots', roots])).toEqual(prints(''));
    }
    const host = leaf.certificate.subjectAltNames[0]!.value as string;
    expect(await capstan(['verify', 'chain.pem', '--roots', 'root.pem', '--host', host, '-v'])).toEqual(
      prints('certificate validated against roots\ncertificate host name validated\ncertificate is valid\n'),
    );
  });

  test('an invalid one names its fault in Go’s words and in ours', async () => {
    expect(await capstan(['verify', 'chain.pem', '--roots', 'other-root.pem'])).toEqual(
      fails(
        'failed to verify certificate: x509: certificate signed by unknown authority: certificate ' +
          'CN=identity.linkerd.cluster.local is issued by CN=root.linkerd.cluster.local, of which no certificate ' +
          'is trusted or given',
      ),
    );
    const { stderr } = await capstan(['verify', 'chain.pem', '--roots', 'root.pem', '--host', 'example.com']);
    expect(stderr).toContain('certificate is not valid for the host name: certificate CN=web.emojivoto');
  });

  test.each([
    [[], 'name the certificate to verify;'],
    [['request.pem'], 'request.pem holds a certificate request, which nobody has signed yet'],
    [['leaf.pem', '--roots', 'missing.pem'], 'error reading missing.pem: no such file or directory'],
    [['leaf.pem', '--roots', 'root.pem,missing.pem'], 'error reading missing.pem: no such file or directory'],
    [['leaf.pem', '--roots', 'request.pem'], 'request.pem holds no root certificate'],
    [['leaf.pem', '--roots', 'cut.pem'], 'error parsing cut.pem: PEM block at line 1'],
  ])('%j is refused', async (args, message) => {
    const { status, stderr } = await capstan(['verify', ...args]);
    expect(status).toBe(1);
    expect(stderr).toContain(`capstan: ${message}`);
  });

  test('the machine’s own roots do not know a private one', async () => {
    expect((await capstan(['verify', 'chain.pem'])).stderr).toContain(
      'certificate signed by unknown authority',
    );
  });
});

describe('servers', () => {
  let server: tls.Server;
  let mute: Server;
  const portOf = (listening: Server) => (listening.address() as { port: number }).port;

  beforeAll(async () => {
    const cert = [local, intermediate].map(({ certificate }) => certificatePem(certificate)).join('');
    server = tls.createServer({ cert, key: writePrivateKey(local.key, 'pkcs8') });
    mute = createServer((socket) => socket.end('220 not TLS\r\n'));
    for (const each of [server, mute]) {
      await new Promise<void>((resolve) => each.listen(0, '127.0.0.1', resolve));
    }
  });
  afterAll(() => {
    server.close();
    mute.close();
  });

  test('show what they serve when it verifies, by name and by address', async () => {
    const expected = prints(printCertificateShort(local.certificate));
    for (const address of [
      `https://127.0.0.1:${portOf(server)}/some/path`,
      `TLS://localhost:${portOf(server)}`,
      `tcp://127.0.0.1:${portOf(server)}`,
    ]) {
      expect(await capstan(['inspect', address, '--roots', 'root.pem', '--short'])).toEqual(expected);
    }
  });

  test('show the chain they serve, and nothing that they do not', async () => {
    const address = `https://127.0.0.1:${portOf(server)}`;
    const certificates = [local, intermediate].map(({ certificate }) => certificate);
    expect(await capstan(['inspect', address, '--roots', 'root.pem', '--bundle', '--format', 'pem'])).toEqual(
      prints(certificates.map(certificatePem).join('')),
    );
    expect(await capstan(['fingerprint', address, '--insecure', '--bundle'])).toEqual(
      prints(certificates.map((one, index) => `${index}: ${fingerprint(one)}\n`).join('')),
    );
  });

  test('show it unverified only where asked to', async () => {
    const address = `https://127.0.0.1:${portOf(server)}`;
    const { status, stderr } = await capstan(['inspect', address, '--roots', 'other-root.pem']);
    expect(status).toBe(1);
    expect(stderr).toContain('failed to verify certificate: x509: certificate signed by unknown authority');
    expect((await capstan(['inspect', address, '--insecure'])).status).toBe(0);
    const named = await capstan(['inspect', address, '--roots', 'root.pem', '--servername', 'example.com']);
    expect(named.stderr).toContain(
      'certificate CN=localhost is not for example.com: it is for localhost, 127.0.0.1',
    );
  });

  test('are verified', async () => {
    const address = `https://127.0.0.1:${portOf(server)}`;
    expect(await capstan(['verify', address, '--roots', 'root.pem'])).toEqual(prints(''));
  });

  test('that do not answer as TLS are told so in one line', async () => {
    const { status, stderr } = await capstan(['inspect', `tls://127.0.0.1:${portOf(mute)}`, '--insecure']);
    expect(status).toBe(1);
    expect(stderr).toMatch(/^capstan: failed to connect to 127\.0\.0\.1:\d+: it does not speak TLS .*\n$/);
  });
});

test('help for the group and for each command', async () => {
  for (const args of [[], ['--help'], ['help']]) {
    expect((await capstan(args)).stdout).toContain('Usage: capstan certificate COMMAND');
  }
  const { stdout: group } = await capstan([]);
  const names = Array.from(group.matchAll(/^ {2}([a-z\d-]+) {2,}/gm), ([, name]) => name!);
  expect(names).toHaveLength(11);
  for (const name of names) {
    for (const args of [
      [name, '--help'],
      [name, 'leaf.pem', '-h'],
      ['help', name],
    ]) {
      const { status, stdout } = await capstan(args);
      expect(status).toBe(0);
      expect(stdout).toContain(`Usage: capstan certificate ${name}`);
    }
  }
  expect((await capstan(['frobnicate'])).stderr).toContain('capstan certificate has no command "frobnicate"');
});
