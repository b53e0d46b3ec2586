import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../src/base/clock.ts';
import { ManualClock } from '../src/base/manual-clock.ts';
import { runInProcess } from './support/transcript.ts';
import { type TestVault, testVault } from './support/vault.ts';

const folder = mkdtempSync(join(tmpdir(), 'capstan-revocation-'));
let vault: TestVault;
let serial: string;

beforeAll(async () => {
  // The commands below go by the machine's time.
  vault = await testVault({ clock: new ManualClock(systemClock.now()) });
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
  await vault.call('POST', 'pki/config/urls', {
    crl_distribution_points: `${vault.endpoint}/v1/pki/crl`,
    ocsp_servers: `${vault.endpoint}/v1/pki/ocsp`,
  });
  const root = await vault.call('POST', 'pki/root/generate/internal', {
    common_name: 'root',
    key_type: 'ec',
    ttl: '48h',
  });
  await vault.call('POST', 'pki/roles/web', { allow_any_name: true, key_type: 'ec', ttl: '1h' });
  const leaf = await vault.call('POST', 'pki/issue/web', { common_name: 'a.example' });
  serial = leaf.data.serial_number as string;
  writeFileSync(join(folder, 'root.crt'), `${root.data.certificate as string}\n`);
  writeFileSync(join(folder, 'leaf.crt'), `${leaf.data.certificate as string}\n`);
});

afterAll(async () => {
  await vault.close();
  rmSync(folder, { recursive: true });
});

const verify = (...flags: string[]) =>
  runInProcess(['certificate', 'verify', 'leaf.crt', '--roots', 'root.crt', ...flags], {
    cwd: folder,
    env: {},
  });

test('a certificate that is on no list is good, by CRL and by OCSP', async () => {
  const { status, stdout, stderr } = await verify('--verify-crl', '--verify-ocsp', '--verbose');
  expect([status, stderr]).toEqual([0, '']);
  expect(stdout).toBe(`certificate validated against roots
certificate not revoked in CRL ${vault.endpoint}/v1/pki/crl
certificate status is good according OCSP ${vault.endpoint}/v1/pki/ocsp
certificate is valid
`);
});

test('where nobody answers, that is said, and it is not valid', async () => {
  const { status, stdout, stderr } = await verify(
    '--verify-ocsp',
    '--ocsp-endpoint',
    `${vault.endpoint}/v1/nothing/ocsp`,
    '-v',
  );
  expect([status, stdout]).toEqual([1, expect.stringContaining('answers with status')]);
  expect(stderr).toContain('could not verify certificate against OCSP server(s)');
});

test('a list of another CA is none', async () => {
  await vault.call('POST', 'sys/mounts/other', { type: 'pki' });
  await vault.call('POST', 'other/root/generate/internal', {
    common_name: 'root',
    key_type: 'ec',
    ttl: '48h',
  });
  const other = await verify('--verify-crl', '--crl-endpoint', `${vault.endpoint}/v1/other/crl`, '-v');
  expect([other.status, other.stdout]).toEqual([1, expect.stringContaining('error validating the CRL')]);
});

test('a revoked certificate is told of by both', async () => {
  expect((await vault.call('POST', 'pki/revoke', { serial_number: serial })).status).toBe(200);
  const crl = await verify('--verify-crl');
  expect([crl.status, crl.stderr]).toEqual([
    1,
    expect.stringContaining('certificate marked as revoked in CRL'),
  ]);
  const ocsp = await verify('--verify-ocsp', '--issuing-ca', 'root.crt');
  expect([ocsp.status, ocsp.stderr]).toEqual([
    1,
    expect.stringContaining('has been revoked according to OCSP'),
  ]);
});
