import { expect, test } from 'vitest';
import { openAuthority } from '../src/authority/authority.ts';
import { plainRequest } from '../src/authority/leaf-request.ts';
import { roleDefaults, settleRole } from '../src/authority/role.ts';
import { dayMs, hourMs } from '../src/base/duration.ts';
import { seededEntropy } from '../src/base/entropy.ts';
import { ManualClock } from '../src/base/manual-clock.ts';
import { issueLeaf } from '../src/identity/leaf.ts';
import { memoryStore } from '../src/store/memory.ts';
import { type RevocationReason, readCrl, reasonNumbers } from '../src/x509/crl.ts';
import { subjectAltName } from '../src/x509/extension.ts';
import { generateKey, type KeySpec } from '../src/x509/key.ts';
import { defects, lintCertificate, lintCrl } from '../src/x509/lint/lint.ts';
import { mldsaSupported } from '../src/x509/mldsa.ts';
import { nameOf } from '../src/x509/name.ts';
import { buildRequest } from '../src/x509/request.ts';
import { signerOf } from '../src/x509/signature.ts';

const entropy = seededEntropy('lint');
const asked = {
  commonName: '',
  subject: {},
  excludeCommonName: false,
  altNames: [],
  ipSans: [],
  uriSans: [],
  otherSans: [],
  validity: { ttlMs: 30 * dayMs, backdateMs: 30_000 },
  maxPathLength: undefined,
  permittedDnsDomains: [],
  keyUsage: [],
  subjectKeyId: undefined,
};
const broken = (certificate: { der: Buffer }) =>
  defects(lintCertificate(certificate.der)).map(({ rule }) => rule.name);

/** Root and intermediate as the CA makes them, with every URL set. */
async function chain(spec: KeySpec) {
  const clock = new ManualClock();
  const store = memoryStore();
  const revision = await store.commit({ puts: [{ key: 'mount', value: Buffer.from('') }] });
  const authority = await openAuthority({
    store,
    prefix: 'data/x/',
    clock,
    entropy,
    limits: () => ({ defaultTtlMs: 32 * dayMs, maxTtlMs: 90 * dayMs }),
    guard: () => ({ key: 'mount', revision }),
  });
  await authority.setUrls({
    issuingCertificates: ['http://ca.example/v1/pki/ca'],
    crlDistributionPoints: ['http://ca.example/v1/pki/crl'],
    deltaCrlDistributionPoints: [],
    ocspServers: ['http://ca.example/v1/pki/ocsp'],
  });
  const root = await authority.generateRoot({
    ...asked,
    commonName: 'root.linkerd.cluster.local',
    key: { generate: spec },
    issuerName: '',
    keyName: '',
    hash: undefined,
  });
  const key = generateKey(spec, entropy);
  const commonName = 'identity.linkerd.cluster.local';
  const request = await buildRequest({ subject: nameOf({ commonName }), extensions: [] }, signerOf(key));
  const signed = await authority.signIntermediate(
    'default',
    { ...asked, commonName, useCsrValues: false, beyondIssuer: 'truncate', hash: undefined },
    request,
  );
  return {
    authority,
    root: root.issuer.certificate,
    intermediate: signed.certificate,
    key,
    now: clock.now(),
  };
}

test.each<KeySpec>([
  { type: 'ec', curve: 'P-256' },
  { type: 'ec', curve: 'P-384' },
  { type: 'rsa', bits: 2048 },
  { type: 'ed25519' },
])('root and intermediate of %j break no rule', async (spec) => {
  const { root, intermediate } = await chain(spec);
  expect(broken(root)).toEqual([]);
  expect(broken(intermediate)).toEqual([]);
});

test.each<KeySpec>([
  { type: 'ec', curve: 'P-224' },
  { type: 'ec', curve: 'P-256' },
  { type: 'ec', curve: 'P-384' },
  { type: 'ec', curve: 'P-521' },
  { type: 'rsa', bits: 2048 },
  { type: 'ed25519' },
])(
  'leaves with keys of %j, signed and issued by roles that say nothing of usages, break no rule',
  async (spec) => {
    const { authority } = await chain({ type: 'ec', curve: 'P-256' });
    const role = settleRole({ ...roleDefaults, key_type: 'any', allow_any_name: true, require_cn: false });
    const commonName = 'web.example';
    const sign = async (subject: object) => {
      const request = await buildRequest(
        { subject: nameOf(subject), extensions: [subjectAltName([{ type: 'dns', value: commonName }])] },
        signerOf(generateKey(spec, entropy)),
      );
      const order = { issuer: 'default', role, request: { ...plainRequest, ttlMs: dayMs } };
      return (await authority.leaves.sign(order, request)).certificate;
    };
    expect(broken(await sign({ commonName }))).toEqual([]);
    expect(broken(await sign({}))).toEqual([]);
    const bits = spec.type === 'ec' ? Number(spec.curve.slice(2)) : 0;
    const request = { ...plainRequest, commonName, ttlMs: dayMs, key: { type: spec.type, bits } };
    const issued = await authority.leaves.issue({ issuer: 'default', role, request });
    expect(broken(issued.certificate)).toEqual([]);
  },
);

test.each<KeySpec>([
  { type: 'ec', curve: 'P-256' },
  { type: 'ec', curve: 'P-521' },
  { type: 'rsa', bits: 2048 },
  { type: 'ed25519' },
  ...(mldsaSupported() ? [{ type: 'mldsa', level: 65 } as const] : []),
])('CRLs by keys of %j break no rule, empty or not, complete or delta', async (spec) => {
  const { authority } = await chain(spec);
  const role = settleRole({ ...roleDefaults, allow_any_name: true });
  const key = { type: 'ec', bits: 256 } as const;
  const request = { ...plainRequest, commonName: 'web.example', ttlMs: dayMs, key };
  const revoke = async (reason?: RevocationReason) => {
    const { certificate } = await authority.leaves.issue({ issuer: 'default', role, request });
    await authority.revocations.revoke(certificate, reason ? { reason } : {});
  };
  const expectClean = async (kind: 'complete' | 'delta', entries: number) => {
    const { der } = (await authority.crls[kind]('default'))!;
    expect(defects(lintCrl(der)).map(({ rule }) => rule.name)).toEqual([]);
    expect(readCrl(der).revoked).toHaveLength(entries);
  };
  await expectClean('complete', 0);
  await authority.revocations.setSettings({ autoRebuild: true, enableDelta: true });
  await authority.crls.rotate();
  await expectClean('delta', 0);
  const reasons = Object.keys(reasonNumbers) as RevocationReason[];
  const given = reasons.filter((reason) => reason !== 'remove from crl');
  for (const reason of [undefined, ...given]) await revoke(reason);
  await authority.crls.rotateDeltas();
  await expectClean('delta', given.length + 1);
  await authority.crls.rotate();
  await expectClean('complete', given.length + 1);
});

/**
 * What Linkerd's form breaks, and why it stays so: linkerd2's own leaves have key encipherment with keys that cannot
 * do it and no identifier of their key, and proxies and tools are used to them.
 */
const waivers = [
  'e_ecdsa_allowed_ku',
  'n_ecdsa_ee_invalid_ku',
  'w_ext_subject_key_identifier_missing_sub_cert',
];

test.each([true, false])(
  'a leaf in Linkerd’s form, with a common name: %s, has its waivers',
  async (commonName) => {
    const { intermediate, key, now } = await chain({ type: 'ec', curve: 'P-256' });
    const leaf = await issueLeaf(
      {
        certificate: intermediate,
        chain: [intermediate],
        signer: signerOf(key),
        firstExpiryMs: intermediate.notAfter,
      },
      {
        identity: 'web.emojivoto.serviceaccount.identity.linkerd.cluster.local',
        commonName,
        publicKey: generateKey({ type: 'ec', curve: 'P-256' }, entropy).publicKey,
      },
      { lifetimeMs: dayMs, clockSkewMs: hourMs },
      { at: now, entropy },
    );
    expect(broken(leaf)).toEqual(waivers);
  },
);
