import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readCertificate, readCertificates } from '../src/x509/certificate.ts';
import { defects, lintCertificate } from '../src/x509/lint/lint.ts';
import { mldsaSupported } from '../src/x509/mldsa.ts';
import { verifyChain } from '../src/x509/verify.ts';
import { type TestVault, testVault } from './support/vault.ts';

/** A CA whose signatures no quantum computer forges; OpenSSL 3.5, which Node brings, is the judge. */
let vault: TestVault;
beforeEach(async () => {
  vault = await testVault();
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
});
afterEach(() => vault.close());

const write = (path: string, body: object) => vault.call('POST', `pki/${path}`, body);

describe.skipIf(!mldsaSupported())('ML-DSA', () => {
  test('root, intermediate and leaf verify, here and with OpenSSL, and lint finds nothing', async () => {
    const made = { common_name: 'root', key_type: 'mldsa', key_bits: 87, ttl: '100h', issuer_name: 'root' };
    const root = await write('root/generate/internal', made);
    expect(root.errors).toEqual([]);
    const asked = await write('intermediate/generate/internal', { common_name: 'int', key_type: 'mldsa' });
    const signed = await write('root/sign-intermediate', {
      csr: asked.data.csr,
      common_name: 'int',
      ttl: '90h',
    });
    const set = await write('intermediate/set-signed', { certificate: signed.data.certificate });
    const [issuer] = set.data.imported_issuers as string[];
    await write('roles/r', { allow_any_name: true, key_type: 'mldsa', key_bits: 44, issuer_ref: issuer });
    const leaf = await write('issue/r', { common_name: 'a.example', ttl: '1h' });
    expect(leaf.data.private_key_type).toBe('mldsa');
    const chain = [leaf.data.certificate, signed.data.certificate, root.data.certificate] as string[];
    for (const [index, pem] of chain.entries()) {
      const above = new X509Certificate(chain[Math.min(index + 1, 2)]!);
      expect(new X509Certificate(pem).verify(above.publicKey)).toBe(true);
      expect(new X509Certificate(pem).checkIssued(above)).toBe(true);
      expect(defects(lintCertificate(new X509Certificate(pem).raw))).toEqual([]);
    }
    const [end, intermediate, anchor] = chain.map((pem) => readCertificates(pem)[0]!);
    const verdict = verifyChain(end!, {
      roots: [anchor!],
      intermediates: [intermediate!],
      at: vault.clock.now(),
      usage: 'server auth',
    });
    expect(verdict.valid).toBe(true);
    const crl = await vault.call('GET', 'pki/issuer/root/crl/pem');
    expect(crl.text).toContain('BEGIN X509 CRL');
  });

  test('an exported key is its seed, and comes back by itself or with its CA', async () => {
    const { data } = await write('root/generate/exported', { common_name: 'root', key_type: 'mldsa' });
    const pem = data.private_key as string;
    expect(data.private_key_type).toBe('mldsa');
    expect(pem.length).toBeLessThan(140);
    await vault.call('DELETE', 'pki/root');
    const back = await write('issuers/import/bundle', {
      pem_bundle: `${pem}\n${data.certificate as string}`,
    });
    const [issuer] = back.data.imported_issuers as string[];
    const [key] = back.data.imported_keys as string[];
    expect(back.data.mapping).toEqual({ [issuer!]: key });
    expect((await vault.call('GET', `pki/key/${key!}`)).data.key_type).toBe('mldsa');
    const certificate = readCertificate(new X509Certificate(data.certificate as string).raw);
    expect(certificate.publicKey.spec).toEqual({ type: 'mldsa', level: 65 });
  });

  test('its sizes are 44, 65 and 87', async () => {
    const refused = ['unsupported bit length for ML-DSA key: 1024'];
    const asked = { common_name: 'r', key_type: 'mldsa', key_bits: 1024 };
    expect((await write('root/generate/internal', asked)).errors).toEqual(refused);
    expect((await write('roles/r', asked)).errors).toEqual(refused);
  });
});
