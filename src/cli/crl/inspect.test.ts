import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/support/capstan.ts';
import { exampleNow, issue } from '../../../test/support/example-chain.ts';
import { runAt } from '../../../test/support/in-process.ts';
import { dayMs, hourMs } from '../../base/duration.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { certificatePem } from '../../x509/certificate.ts';
import { buildCrl, crlPem, readCrl } from '../../x509/crl.ts';
import { crlDistributionPoints } from '../../x509/extension.ts';
import { signerOf } from '../../x509/signature.ts';
import { judgeCrl } from './judge.ts';

const folder = temporaryFolder();
const root = await issue({ name: 'root', ca: true });
const impostor = await issue({
  name: 'root',
  ca: true,
  key: root.key,
  override: { notAfter: exampleNow - 1 },
});
const stranger = await issue({ name: 'stranger', ca: true });
const der = await buildCrl(
  {
    issuer: root.certificate.subject,
    number: 7,
    thisUpdate: exampleNow - hourMs,
    nextUpdate: exampleNow + hourMs,
    revoked: [{ serial: Buffer.from([1, 2]), revokedAt: exampleNow - dayMs, reason: 'superseded' }],
    authorityKeyId: root.certificate.subjectKeyId!,
  },
  signerOf(root.key),
);

const server = createServer((request, response) => {
  if (request.url === '/root.crl') response.end(der);
  else response.writeHead(404).end();
});
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const points = (path: string) => [crlDistributionPoints(['ldap://127.0.0.1/', `${origin}${path}`])];
  const leaf = await issue({ name: 'leaf', issuer: root, extensions: points('/root.crl') });
  const lost = await issue({ name: 'lost', issuer: root, extensions: points('/none.crl') });
  const files = {
    'leaf.pem': certificatePem(leaf.certificate),
    'chain.pem': certificatePem(leaf.certificate) + certificatePem(root.certificate),
    'lost.pem': certificatePem(lost.certificate) + certificatePem(root.certificate),
    'root.pem': certificatePem(root.certificate),
    'stranger.pem': certificatePem(stranger.certificate),
    'root.crl': der,
    url: `${origin}/root.crl`,
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder.path, name), content);
  address = files.url;
});
afterAll(() => {
  server.close();
  folder.remove();
});
let address: string;

async function inspect(args: readonly string[], { stdin = '' }: { stdin?: string | Buffer } = {}) {
  const ended = await runAt(['crl', 'inspect', ...args], {
    cwd: folder.path,
    clock: new ManualClock(exampleNow),
    stdin,
  });
  return { ...ended, stdout: ended.stdout.toString() };
}

describe('crl inspect', () => {
  test.each([
    [['--ca', 'root.pem', 'root.crl'], 'Valid: true'],
    [['--from', 'chain.pem'], 'Valid: true'],
    [['--from', 'leaf.pem', '--ca', 'root.pem'], 'Valid: true'],
    [['--from', 'leaf.pem', '--insecure'], 'Valid: false'],
    [['--ca', 'stranger.pem', 'root.crl'], 'Reason: No CA certificate is of its issuer'],
  ])('%j prints %s', async (args, line) => {
    const { status, stdout, stderr } = await inspect(args);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toContain(line);
    expect(stdout).toContain('Serial Number: 258 (0x0102)');
  });

  test('a URL, stdin, DER and PEM hold the same list', async () => {
    const expected = await inspect(['--ca', 'root.pem', 'root.crl', '--format', 'json']);
    expect(JSON.parse(expected.stdout)).toMatchObject({ version: 2, signature: { valid: true } });
    const pem = await inspect(['--insecure', '--format', 'pem', address]);
    expect(pem.stdout).toBe(crlPem(der));
    for (const stdin of [der, Buffer.from(crlPem(der))]) {
      expect(await inspect(['--ca', 'root.pem', '--format', 'json'], { stdin })).toEqual(expected);
    }
    expect(await inspect(['--ca', 'root.pem', '--format', 'json', address])).toEqual(expected);
  });

  test.each([
    [['root.crl'], "nothing is there to verify the list with; name --ca, or use '--insecure'"],
    [['--from', 'leaf.pem'], "nothing is there to verify the list with; name --ca, or use '--insecure'"],
    [['--from', 'root.pem', '--insecure'], 'failed to get CRL distribution points from root.pem'],
    [['--from', 'lost.pem'], 'error downloading crl: status code 404'],
    [['--insecure', 'root.pem'], 'root.pem holds no revocation list, only CERTIFICATE'],
    [['--insecure', 'absent.crl'], 'error reading absent.crl: no such file or directory'],
    [['--insecure', '--format', 'yaml'], "invalid value 'yaml' for flag '--format'"],
    [['--insecure', 'root.crl', 'url'], 'one file or address at a time'],
  ])('%j fails', async (args, message) => {
    const { status, stdout, stderr } = await inspect(args);
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(message);
  });

  test('bytes that are no list are told apart from one', async () => {
    const { status, stderr } = await inspect(['--insecure'], { stdin: der.subarray(0, 40) });
    expect(status).toBe(1);
    expect(stderr).toContain('error parsing stdin: the revocation list is malformed');
  });
});

test('a list is judged by signature, issuer and dates', () => {
  const list = readCrl(der);
  const authorities = [root.certificate];
  expect(judgeCrl(list, authorities, exampleNow + hourMs)).toEqual({ valid: true });
  expect(judgeCrl(list, authorities, exampleNow + hourMs + 1)).toEqual({
    valid: false,
    reason: 'CRL has expired',
  });
  expect(judgeCrl(list, authorities, exampleNow - hourMs - 1)).toEqual({
    valid: false,
    reason: 'CRL is not valid yet',
  });
  expect(judgeCrl(list, [impostor.certificate], exampleNow)).toEqual({
    valid: false,
    reason: 'CA certificate has expired',
  });
  expect(judgeCrl(list, [impostor.certificate, root.certificate], exampleNow)).toEqual({ valid: true });
  const forged = readCrl(Buffer.concat([der.subarray(0, -1), Buffer.from([der.at(-1)! ^ 1])]));
  expect(judgeCrl(forged, authorities, exampleNow)).toEqual({
    valid: false,
    reason: 'Signature does not match',
  });
});
