import { afterAll, beforeAll, expect, test } from 'vitest';
import { permittedDnsDomains } from '../src/authority/der-text.ts';
import { nameConstraintsOf } from '../src/x509/permitted-name.ts';
import { leafRequest } from './support/leaf-request.ts';
import { any, certificateOf } from './support/leaf-vault.ts';
import { type TestVault, testVault } from './support/vault.ts';

// What a CA above does not allow is not signed: nobody who trusts that CA would take it.

let vault: TestVault;
beforeAll(async () => {
  vault = await testVault();
  for (const mount of ['root', 'below']) await vault.call('POST', `sys/mounts/${mount}`, { type: 'pki' });
  await vault.call('POST', 'root/root/generate/internal', {
    common_name: 'root',
    key_type: 'ec',
    ttl: '500h',
    permitted_dns_domains: 'example.com',
    exclude_cn_from_sans: true,
  });
  const { data: asked } = await vault.call('POST', 'below/intermediate/generate/internal', {
    common_name: 'CA below',
    key_type: 'ec',
  });
  const { data: signed } = await vault.call('POST', 'root/root/sign-intermediate', {
    csr: asked.csr,
    ttl: '400h',
  });
  const chain = [signed.certificate, ...(signed.ca_chain as string[])].join('\n');
  await vault.call('POST', 'below/intermediate/set-signed', { certificate: chain });
  for (const mount of ['root', 'below']) {
    const role = { ...any, allowed_uri_sans: '*', ttl: '1h' };
    expect((await vault.call('POST', `${mount}/roles/any`, role)).errors).toEqual([]);
  }
});
afterAll(() => vault.close());

const refused = (name: string) => [
  400,
  [
    `verification failed: the name constraints of a CA above do not allow ${name}, which is none of the permitted`,
  ],
];

test.each(['root', 'below'])('leaves of %s keep to the constraints above them', async (mount) => {
  const issue = async (body: object) => {
    const { status, errors } = await vault.call('POST', `${mount}/issue/any`, body);
    return [status, errors];
  };
  expect(await issue({ common_name: 'a.example.com' })).toEqual([200, []]);
  expect(await issue({ common_name: 'example.com', alt_names: '*.example.com' })).toEqual([200, []]);
  expect(await issue({ common_name: 'a.example.com', ip_sans: '10.0.0.1' })).toEqual([200, []]);
  expect(await issue({ common_name: 'a.evil.com' })).toEqual(refused('dns:a.evil.com'));
  expect(await issue({ common_name: 'a.example.com', alt_names: 'evilexample.com' })).toEqual(
    refused('dns:evilexample.com'),
  );
});

test.each(['root', 'below'])('so do those that are signed verbatim by %s', async (mount) => {
  const csr = await leafRequest({ names: [{ type: 'dns', value: 'a.evil.com' }] });
  const { status, errors } = await vault.call('POST', `${mount}/sign-verbatim`, { csr, ttl: '1h' });
  expect([status, errors]).toEqual(refused('dns:a.evil.com'));
  // What was refused is not kept either.
  const { data } = await vault.call('LIST', `${mount}/certs`);
  for (const serial of data.keys as string[]) {
    const { text } = await vault.call('GET', `${mount}/cert/${serial}/raw`);
    expect(text).not.toContain('a.evil.com');
  }
});

test.each(['root', 'below'])('so do CAs that %s signs', async (mount) => {
  const signed = async (commonName: string) => {
    const csr = await leafRequest({ subject: { commonName } });
    const reply = await vault.call('POST', `${mount}/root/sign-intermediate`, { csr, ttl: '1h' });
    return [reply.status, reply.errors];
  };
  expect(await signed('Any CA')).toEqual([200, []]);
  expect(await signed('ca.example.com')).toEqual([200, []]);
  expect(await signed('ca.evil.com')).toEqual(refused('dns:ca.evil.com'));
});

test('what a CA is permitted, its own request does not widen', async () => {
  const csr = await leafRequest({
    subject: { commonName: 'Narrow CA' },
    extensions: [permittedDnsDomains(['evil.com'])],
  });
  const body = { csr, ttl: '1h', use_csr_values: true };
  const permitted = async (more: object) => {
    const reply = await vault.call('POST', 'root/root/sign-intermediate', { ...body, ...more });
    return nameConstraintsOf(certificateOf(reply))?.permitted;
  };
  expect(await permitted({})).toEqual([{ type: 'dns', value: 'evil.com' }]);
  expect(await permitted({ permitted_dns_domains: 'a.example.com' })).toEqual([
    { type: 'dns', value: 'a.example.com' },
  ]);
});
