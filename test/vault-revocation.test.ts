import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hourMs } from '../src/base/duration.ts';
import { ManualClock } from '../src/base/manual-clock.ts';
import { readCertificates, serialText } from '../src/x509/certificate.ts';
import { readCrl } from '../src/x509/crl.ts';
import { buildOcspRequest } from '../src/x509/ocsp-request.ts';
import { readOcspResponse } from '../src/x509/ocsp-response.ts';
import { decodePem } from '../src/x509/pem.ts';
import { type TestVault, testVault } from './support/vault.ts';

const folder = mkdtempSync(join(tmpdir(), 'capstan-revocation-'));
afterAll(() => rmSync(folder, { recursive: true }));
const save = (name: string, text: string | Buffer) => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const absent = spawnSync('openssl', ['version']).status !== 0;
const openssl = (...args: string[]) => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
/** Everything that it says, whether or not it likes what it sees. */
const opensslSays = (...args: string[]) => {
  const { stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8' });
  return stdout + stderr;
};

interface Leaf {
  certificate: string;
  private_key: string;
  serial_number: string;
}

let vault: TestVault;
let root: string;

beforeEach(async () => {
  // openssl goes by the machine's clock.
  vault = await testVault({ clock: new ManualClock(Date.now()) });
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
  const made = await vault.call('POST', 'pki/root/generate/internal', {
    common_name: 'root',
    key_type: 'ec',
  });
  root = made.data.certificate as string;
  await vault.call('POST', 'pki/roles/web', { allow_any_name: true, key_type: 'ec', ttl: '72h' });
});
afterEach(() => vault.close());

async function issue(path = 'pki/issue/web'): Promise<Leaf> {
  const { data } = await vault.call('POST', path, { common_name: 'web.example' });
  return data as unknown as Leaf;
}

const bytes = async (path: string, init?: RequestInit) => {
  const response = await fetch(`${vault.endpoint}/v1/${path}`, init);
  return {
    status: response.status,
    headers: response.headers,
    body: Buffer.from(await response.arrayBuffer()),
  };
};

describe('a revocation', () => {
  test('is answered with its time, and told wherever the certificate is', async () => {
    const leaf = await issue();
    const now = vault.clock.now();
    const { status, data } = await vault.call('POST', 'pki/revoke', { serial_number: leaf.serial_number });
    expect(status).toBe(200);
    expect(data).toEqual({
      revocation_time: Math.floor(now / 1_000),
      revocation_time_rfc3339: new Date(now).toISOString().replace(/\.?0*Z$/, 'Z'),
      state: 'revoked',
    });
    const read = await vault.call('GET', `pki/cert/${leaf.serial_number}`, undefined, '');
    const issuer = (await vault.call('GET', 'pki/issuer/default')).data.issuer_id;
    expect(read.data).toMatchObject({ revocation_time: data.revocation_time, issuer_id: issuer });
    const listed = await vault.call('LIST', 'pki/certs/revoked');
    expect(listed.data.keys).toEqual([leaf.serial_number]);
    await vault.clock.advance(1_000);
    const again = await vault.call('POST', 'pki/revoke', { certificate: leaf.certificate });
    expect(again.data).toEqual(data);
  });

  test.each([
    [{}, 'The serial number or certificate to revoke must be provided.'],
    [{ serial_number: '' }, 'The serial number must be provided'],
    [{ serial_number: 'aa:bb' }, 'certificate with serial aa:bb not found.'],
    [
      { serial_number: 'aa', certificate: 'b' },
      'Must provide either the certificate or the serial to revoke; not both.',
    ],
  ])('of %j is refused', async (body, message) => {
    const { status, errors } = await vault.call('POST', 'pki/revoke', body);
    expect([status, errors]).toEqual([400, [message]]);
  });

  test('of the issuer, of strangers and of what is over is refused', async () => {
    const serial = serialText(readCertificates(root)[0]!.serial);
    const own = await vault.call('POST', 'pki/revoke', { serial_number: serial });
    expect(own.errors[0]).toMatch(/^adding issuer \(id: [0-9a-f-]{36}\) to its own CRL is not allowed$/);
    await vault.call('POST', 'sys/mounts/other', { type: 'pki' });
    await vault.call('POST', 'other/root/generate/internal', { common_name: 'root', key_type: 'ec' });
    await vault.call('POST', 'other/roles/web', { allow_any_name: true, key_type: 'ec' });
    const foreign = await issue('other/issue/web');
    const stranger = await vault.call('POST', 'pki/revoke', { certificate: foreign.certificate });
    expect([stranger.status, stranger.errors[0]]).toEqual([
      400,
      expect.stringContaining('unable to verify signature on presented cert from any present issuer'),
    ]);
    const leaf = await issue();
    await vault.clock.advance(72 * hourMs);
    const over = await vault.call('POST', 'pki/revoke', { serial_number: leaf.serial_number });
    expect([over.status, over.warnings]).toEqual([
      200,
      [`certificate with serial ${leaf.serial_number} already expired; refusing to add to CRL`],
    ]);
  });

  test('by key takes the key that belongs to it', async () => {
    const [leaf, other] = [await issue(), await issue()];
    const call = (private_key?: string) =>
      vault.call('POST', 'pki/revoke-with-key', { serial_number: leaf.serial_number, private_key });
    expect((await call()).errors[0]).toContain('Must have private key to revoke');
    expect((await call('short')).errors[0]).toContain('too short');
    expect((await call(other.private_key)).errors[0]).toContain("does not match certificate's public key");
    const rsa = await vault.call('POST', 'pki/issue/web', { common_name: 'a.example' });
    expect(rsa.status).toBe(200);
    expect((await vault.call('LIST', 'pki/certs/revoked')).status).toBe(404);
    expect((await call(leaf.private_key)).data.state).toBe('revoked');
  });

  test.skipIf(absent)('by a key whose file claims the public half of another is refused', async () => {
    const leaf = await issue();
    const [own] = readCertificates(leaf.certificate);
    // SEC 1 lets a private key's file say which its public key is.
    const point = own!.spki.subarray(-65).toString('hex');
    const conf = save(
      'forged.conf',
      `asn1=SEQUENCE:key\n[key]\nversion=INTEGER:1\nd=FORMAT:HEX,OCT:${'11'.repeat(32)}\n` +
        `curve=EXPLICIT:0,OID:prime256v1\npub=EXPLICIT:1,FORMAT:HEX,BITSTRING:${point}\n`,
    );
    openssl('asn1parse', '-genconf', conf, '-out', join(folder, 'forged.der'), '-noout');
    const der = execFileSync('cat', [join(folder, 'forged.der')]);
    const pem = `-----BEGIN EC PRIVATE KEY-----\n${der.toString('base64')}\n-----END EC PRIVATE KEY-----\n`;
    const { status, errors } = await vault.call('POST', 'pki/revoke-with-key', {
      serial_number: leaf.serial_number,
      private_key: pem,
    });
    expect(status).toBe(400);
    expect(errors[0]).toMatch(/does not match|failed to parse provided private key/);
    expect((await vault.call('LIST', 'pki/certs/revoked')).status).toBe(404);
  });
});

test('certificates are listed in pages, with what they say where asked', async () => {
  const made = [await issue(), await issue(), await issue()].map((leaf) => leaf.serial_number).toSorted();
  const all = (await vault.call('LIST', 'pki/certs')).data.keys as string[];
  expect(all).toEqual([...made, serialText(readCertificates(root)[0]!.serial)].toSorted());
  const page = await vault.call('LIST', `pki/certs?after=${all[0]}&limit=2`);
  expect(page.data.keys).toEqual(all.slice(1, 3));
  const detailed = await vault.call('LIST', `pki/certs/detailed?limit=4`);
  expect(detailed.data.keys).toEqual(all);
  const info = detailed.data.key_info as Record<string, Record<string, unknown>>;
  expect(info[made[0]!]).toMatchObject({
    common_name: 'web.example',
    dns_names: ['web.example'],
    issuer: 'CN=root',
    key_bits: 256,
    key_type: 'ec',
  });
});

describe('an issuer', () => {
  test('that is revoked issues nothing more, is listed by its own issuer, and still lists what it issued', async () => {
    const csr = await vault.call('POST', 'pki/intermediate/generate/internal', {
      common_name: 'intermediate',
      key_type: 'ec',
    });
    const signed = await vault.call('POST', 'pki/root/sign-intermediate', {
      csr: csr.data.csr,
      common_name: 'intermediate',
    });
    const set = await vault.call('POST', 'pki/intermediate/set-signed', {
      certificate: signed.data.certificate,
    });
    const [id] = set.data.imported_issuers as string[];
    const leaf = await issue(`pki/issuer/${id}/issue/web`);
    const { status, data, warnings } = await vault.call('POST', `pki/issuer/${id}/revoke`, {});
    expect([status, data.revoked, data.usage, warnings]).toEqual([
      200,
      true,
      'crl-signing,ocsp-signing,read-only',
      [],
    ]);
    const refused = await vault.call('POST', `pki/issuer/${id}/issue/web`, { common_name: 'a.example' });
    expect(refused.status).toBeGreaterThanOrEqual(400);
    const listed = readCrl((await bytes('pki/crl')).body).revoked;
    expect(listed.map(({ serial }) => serialText(serial))).toEqual([signed.data.serial_number]);
    await vault.call('POST', 'pki/revoke', { serial_number: leaf.serial_number });
    const own = readCrl((await bytes(`pki/issuer/${id}/crl/der`)).body);
    expect(own.revoked.map(({ serial }) => serialText(serial))).toEqual([leaf.serial_number]);
    const again = await vault.call('POST', `pki/issuer/${id}/revoke`, {});
    expect(again.data.revocation_time).toBe(data.revocation_time);
  });

  test('that signed itself is revoked with warnings', async () => {
    const { warnings } = await vault.call('POST', 'pki/issuer/default/revoke', {});
    expect(warnings).toHaveLength(3);
    expect(warnings[0]).toContain('self-signed (potentially root) certificate');
  });
});

describe('the CRL', () => {
  test('is told in all forms, and not told again to who has it', async () => {
    await vault.call('POST', 'pki/revoke', { serial_number: (await issue()).serial_number });
    const { body: der, headers } = await bytes('pki/crl');
    expect(headers.get('content-type')).toBe('application/pkix-crl');
    const [pem] = decodePem((await bytes('pki/crl/pem')).body.toString());
    expect(pem!.bytes).toEqual(der);
    const enveloped = (await vault.call('GET', 'pki/cert/crl', undefined, '')).data.certificate as string;
    expect(decodePem(enveloped)[0]!.bytes).toEqual(der);
    const ofIssuer = (await vault.call('GET', 'pki/issuer/default/crl', undefined, '')).data.crl as string;
    expect(decodePem(ofIssuer)[0]!.bytes).toEqual(der);
    const since = { headers: { 'if-modified-since': headers.get('last-modified')! } };
    const same = await bytes('pki/crl', since);
    expect([same.status, same.body.length]).toEqual([304, 0]);
    await vault.call('POST', 'pki/revoke', { serial_number: (await issue()).serial_number });
    expect((await bytes('pki/crl', since)).status).toBe(200);
  });

  test.skipIf(absent)('convinces openssl, which then refuses what is on it', async () => {
    const [good, bad] = [await issue(), await issue()];
    await vault.call('POST', 'pki/revoke', { serial_number: bad.serial_number });
    const ca = save('root.pem', root);
    const crl = save('crl.pem', (await bytes('pki/crl/pem')).body);
    expect(opensslSays('crl', '-in', crl, '-CAfile', ca, '-noout', '-verify')).toContain('verify OK');
    const verify = (leaf: Leaf) =>
      opensslSays('verify', '-crl_check', '-CRLfile', crl, '-CAfile', ca, save('leaf.pem', leaf.certificate));
    expect(verify(good)).toContain('leaf.pem: OK');
    expect(verify(bad)).toContain('certificate revoked');
  });

  test.skipIf(absent)('and its delta convince openssl together', async () => {
    const config = { auto_rebuild: true, enable_delta: true };
    // Without word of where deltas are openssl looks for none.
    await vault.call('POST', 'pki/config/urls', {
      delta_crl_distribution_points: `${vault.endpoint}/v1/pki/crl/delta`,
    });
    expect((await vault.call('POST', 'pki/config/crl', config)).data).toMatchObject(config);
    const base = save('base.pem', (await bytes('pki/crl/pem')).body);
    const [good, bad] = [await issue(), await issue()];
    await vault.call('POST', 'pki/revoke', { serial_number: bad.serial_number });
    await vault.call('GET', 'pki/crl/rotate-delta');
    const delta = save('delta.pem', (await bytes('pki/crl/delta/pem')).body);
    expect((await bytes('pki/crl/pem')).body.toString()).toBe(
      execFileSync('cat', [base], { encoding: 'utf8' }),
    );
    const both = save(
      'both.pem',
      Buffer.concat([execFileSync('cat', [base]), Buffer.from('\n'), execFileSync('cat', [delta])]),
    );
    const verify = (leaf: Leaf) =>
      opensslSays(
        ...['verify', '-crl_check', '-use_deltas', '-extended_crl', '-CRLfile', both],
        ...['-CAfile', save('root.pem', root), save('leaf.pem', leaf.certificate)],
      );
    expect(verify(good)).toContain('leaf.pem: OK');
    expect(verify(bad)).toContain('certificate revoked');
  });
});

test('CRLs of one key are put together', async () => {
  const [one, two] = [await issue(), await issue()];
  const fetchPem = async () => (await bytes('pki/crl/pem')).body.toString();
  await vault.call('POST', 'pki/revoke', { serial_number: one.serial_number });
  const first = await fetchPem();
  await vault.call('POST', 'pki/revoke', { serial_number: two.serial_number });
  const resign = (body: object) => vault.call('POST', 'pki/issuer/default/resign-crls', body);
  const { data } = await resign({ crl_number: 100, next_update: '24h', crls: [first, await fetchPem()] });
  const crl = readCrl(decodePem(data.crl as string)[0]!.bytes);
  expect(crl.number).toBe(100n);
  expect(crl.nextUpdate! - crl.thisUpdate).toBe(24 * hourMs);
  expect(crl.revoked.map(({ serial }) => serialText(serial)).toSorted()).toEqual(
    [one.serial_number, two.serial_number].toSorted(),
  );
  await vault.call('POST', 'sys/mounts/other', { type: 'pki' });
  await vault.call('POST', 'other/root/generate/internal', { common_name: 'root', key_type: 'ec' });
  const foreign = (await bytes('other/crl/pem')).body.toString();
  expect((await resign({ crl_number: 1, crls: [first, foreign] })).errors).toEqual([
    'CRL index: 1 was not signed by requested issuer',
  ]);
  expect((await resign({ crls: [first], format: 'text' })).errors).toEqual(['unknown format value of text']);
});

describe('OCSP', () => {
  test.skipIf(absent)('answers openssl, by POST, with its nonce', async () => {
    const [good, bad] = [await issue(), await issue()];
    await vault.call('POST', 'pki/revoke', { serial_number: bad.serial_number });
    const ca = save('root.pem', root);
    const ask = (leaf: Leaf, ...options: string[]) =>
      opensslAsync(
        ...[
          'ocsp',
          ...options,
          '-issuer',
          ca,
          '-CAfile',
          ca,
          '-cert',
          save(`${leaf.serial_number}.pem`, leaf.certificate),
        ],
        ...['-url', `${vault.endpoint}/v1/pki/ocsp`],
      );
    const fine = await ask(good);
    expect(fine).toContain('Response verify OK');
    expect(fine).toContain(': good');
    expect(fine).not.toContain('WARNING: no nonce in response');
    expect(await ask(bad)).toContain(': revoked');
    expect(await ask(good, '-no_nonce', '-sha256')).toContain(': good');
  });

  test('answers GET in any spelling of base64, with what caches need', async () => {
    const [issuer] = readCertificates(root);
    // Slashes come and go with the serial.
    for (let count = 0; count < 10; count++) {
      const [certificate] = readCertificates((await issue()).certificate);
      const base64 = buildOcspRequest(certificate!, issuer!).toString('base64');
      const urlSafe = base64.replaceAll('+', '-').replaceAll('/', '_');
      for (const text of [base64, encodeURIComponent(base64), urlSafe]) {
        const { status, headers, body } = await bytes(`pki/ocsp/${text}`);
        expect([status, headers.get('content-type')]).toEqual([200, 'application/ocsp-response']);
        expect(headers.get('cache-control')).toMatch(
          /^max-age=43(200|199), public, no-transform, must-revalidate$/,
        );
        expect(readOcspResponse(body).basic!.responses[0]!.is.status).toBe('good');
      }
    }
    const doubled = Buffer.concat([Buffer.from('303f', 'hex'), Buffer.alloc(63, 0xff)]).toString('base64');
    expect(doubled).toContain('//');
    expect((await bytes(`pki/ocsp/${doubled}`)).body).toEqual(Buffer.from('30030a0101', 'hex'));
  });

  test('answers what it cannot read, or may not answer, as OCSP does', async () => {
    const post = (body: Buffer | string) =>
      bytes('pki/ocsp', { method: 'POST', body, headers: { 'content-type': 'application/ocsp-request' } });
    expect(await post('nonsense')).toMatchObject({ status: 400, body: Buffer.from('30030a0101', 'hex') });
    expect((await post(Buffer.alloc(3_000, 0x30))).status).toBe(400);
    await vault.call('POST', 'pki/config/crl', { ocsp_disable: true });
    const [issuer] = readCertificates(root);
    expect(await post(buildOcspRequest(issuer!, issuer!))).toMatchObject({
      status: 401,
      body: Buffer.from('30030a0106', 'hex'),
    });
  });

  test('calls what a role did not store good, once one did so, and revoked where it is', async () => {
    const [issuer] = readCertificates(root);
    await vault.call('POST', 'pki/roles/unstored', { allow_any_name: true, key_type: 'ec', no_store: true });
    const leaf = await issue('pki/issue/unstored');
    const [certificate] = readCertificates(leaf.certificate);
    const ask = async () => {
      const { body } = await bytes(
        `pki/ocsp/${buildOcspRequest(certificate!, issuer!).toString('base64url')}`,
      );
      return readOcspResponse(body).basic!.responses[0]!.is.status;
    };
    expect(await ask()).toBe('good');
    const byKey = { certificate: leaf.certificate, private_key: leaf.private_key };
    expect((await vault.call('POST', 'pki/revoke-with-key', byKey)).status).toBe(200);
    expect(await ask()).toBe('revoked');
  });
});

function opensslAsync(...args: string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = spawn('openssl', args);
    let said = '';
    child.stdout.on('data', (text) => (said += text));
    child.stderr.on('data', (text) => (said += text));
    child.on('close', () => resolve(said));
  });
}
