import { openAuthority } from '../src/authority/authority.ts';
import { barePem } from '../src/authority/issuer.ts';
import { plainRequest } from '../src/authority/leaf-request.ts';
import { planLeaf } from '../src/authority/leaf-rules.ts';
import { roleDefaults, settleRole } from '../src/authority/role.ts';
import { systemClock } from '../src/base/clock.ts';
import { dayMs } from '../src/base/duration.ts';
import { systemEntropy } from '../src/base/entropy.ts';
import { memoryStore } from '../src/store/memory.ts';
import { readCsr } from '../src/vault/pki/written.ts';
import { buildCertificate, newSerial } from '../src/x509/certificate.ts';
import { readPublicKey } from '../src/x509/key.ts';
import { requestIsSelfConsistent } from '../src/x509/request.ts';
import { signerOf } from '../src/x509/signature.ts';
import { distinctSigningRequests } from './ca-cases.ts';
import { print } from './measure.ts';

const stepMs = 1_000;
const warmUpCalls = 5_000;

/** Where the time of one signing goes, step by step and alone in this process: processor time, microseconds. */
export async function printSigningSteps(): Promise<void> {
  console.log('\n## one signing, step by step');
  const { authority, issuer, privateKey } = await smallAuthority();
  const pems = (await distinctSigningRequests()).slice(0, 1_000).map(({ csr }) => csr);
  const requests = pems.map(readCsr);
  const role = settleRole({ ...roleDefaults, allow_any_name: true, key_type: 'ec', no_store: true });
  const request = { ...plainRequest, ttlMs: dayMs };
  const at = {
    urls: authority.urls(),
    limits: { defaultTtlMs: dayMs, maxTtlMs: dayMs },
    nowMs: systemClock.now(),
    serial: newSerial(systemEntropy),
  };
  const plan = (index: number) =>
    planLeaf(request, { csr: requests[index]!, verbatim: false }, role, issuer, at);
  const signer = signerOf(privateKey);
  const { template } = plan(0);
  const certificate = await buildCertificate(template, signer);
  // What a request has read of itself once is kept: each call reads it anew.
  const steps: [string, (index: number) => unknown][] = [
    ['read the request', (index) => readCsr(pems[index]!)],
    ['import its key', (index) => readPublicKey(requests[index]!.spki).key],
    ['verify it, key imported', (index) => requestIsSelfConsistent(requests[index]!)],
    ['decide by the role', plan],
    ['sign 300 bytes', () => signer.sign(certificate.tbs)],
    ['write and sign the certificate', () => buildCertificate(template, signer)],
    ['write it as PEM', () => barePem(certificate)],
    [
      'all of it',
      (index) => authority.leaves.sign({ issuer: 'default', role, request }, readCsr(pems[index]!)),
    ],
  ];
  for (const [name, act] of steps) print(name, `${(await microseconds(act, pems.length)).toFixed(1)} µs`);
}

async function smallAuthority() {
  const store = memoryStore();
  const revision = await store.commit({ puts: [{ key: 'mount', value: Buffer.from('') }] });
  const authority = await openAuthority({
    store,
    prefix: 'ca/',
    clock: systemClock,
    entropy: systemEntropy,
    limits: () => ({ defaultTtlMs: 30 * dayMs, maxTtlMs: 90 * dayMs }),
    guard: () => ({ key: 'mount', revision }),
  });
  const { issuer, key } = await authority.generateRoot({
    ...{ commonName: 'root', subject: {}, excludeCommonName: false, maxPathLength: undefined },
    ...{ altNames: [], ipSans: [], uriSans: [], otherSans: [], permittedDnsDomains: [], keyUsage: [] },
    ...{ subjectKeyId: undefined, issuerName: '', keyName: '', hash: undefined },
    validity: { ttlMs: 80 * dayMs, backdateMs: 30_000 },
    key: { generate: { type: 'ec', curve: 'P-256' } },
  });
  return { authority, issuer, privateKey: key.privateKey };
}

async function microseconds(act: (index: number) => unknown, count: number): Promise<number> {
  for (let call = 0; call < warmUpCalls; call++) await act(call % count);
  const before = process.cpuUsage();
  const startMs = performance.now();
  let calls = 0;
  while (performance.now() - startMs < stepMs) await act(calls++ % count);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / calls;
}
