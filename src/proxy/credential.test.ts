import { beforeAll, expect, test } from 'vitest';
import { issuance } from '../../test/support/certificates.ts';
import { type Hierarchy, hierarchy, startMs, webIdentity } from '../../test/support/identity-fixture.ts';
import { dayMs, hourMs, minuteMs, secondMs } from '../base/duration.ts';
import { systemEntropy } from '../base/entropy.ts';
import { silentLog } from '../base/log.ts';
import { ManualClock } from '../base/manual-clock.ts';
import type { CertifyRequest, CertifyResponse } from '../wire/grpc-identity.ts';
import { buildCertificate, type Certificate, certificatePem, newSerial } from '../x509/certificate.ts';
import { subjectAltName } from '../x509/extension.ts';
import { emptyName } from '../x509/name.ts';
import { readRequest, requestIsSelfConsistent } from '../x509/request.ts';
import { signerOf } from '../x509/signature.ts';
import { certifyClient } from './certify-client.ts';
import { type CredentialEvent, type CredentialKeeper, keepCredential, refreshInMs } from './credential.ts';
import { fixedTrustAnchors, followTrustAnchors, readTrustAnchors } from './trust-anchors.ts';

let mesh: Hierarchy;
beforeAll(async () => {
  mesh = await hierarchy('mesh');
});

interface World {
  clock: ManualClock;
  pace: ManualClock;
  keeper: CredentialKeeper;
  events: CredentialEvent[];
  requests: CertifyRequest[];
  /** What identity answers from now on. */
  answer: (request: CertifyRequest) => Promise<CertifyResponse>;
  anchors: { current: readonly Certificate[]; swap(roots: readonly Certificate[]): void };
  stop(): void;
}

/** An identity service as a function. */
async function issue(
  request: CertifyRequest,
  at: number,
  { issuer = mesh.issuer, names = [webIdentity], lifetimeMs = dayMs, notBefore = at } = {},
): Promise<CertifyResponse> {
  const leaf = await buildCertificate(
    {
      serial: newSerial(systemEntropy),
      issuer: issuer.certificate.subject,
      subject: emptyName,
      notBefore,
      notAfter: notBefore + lifetimeMs,
      publicKey: readRequest(request.certificateSigningRequest).publicKey,
      extensions: [
        subjectAltName(
          names.map((value) => ({ type: 'dns', value })),
          true,
        ),
      ],
    },
    signerOf(issuer.key),
  );
  return {
    leafCertificate: leaf.der,
    intermediateCertificates: [issuer.certificate.der],
    validUntilMs: leaf.notAfter,
  };
}

async function start(): Promise<World> {
  const [clock, pace] = [new ManualClock(startMs), new ManualClock(startMs)];
  const stop = new AbortController();
  const listeners: (() => void)[] = [];
  const anchors = {
    current: [mesh.root.certificate] as readonly Certificate[],
    swap(roots: readonly Certificate[]) {
      anchors.current = roots;
      for (const listener of listeners) listener();
    },
  };
  const events: CredentialEvent[] = [];
  const requests: CertifyRequest[] = [];
  const world: World = {
    ...{ clock, pace, events, requests, anchors },
    answer: (request) => issue(request, clock.now()),
    stop: () => stop.abort(),
    keeper: undefined as never,
  };
  let tokens = 0;
  world.keeper = keepCredential({
    ...{ clock, pace, entropy: systemEntropy, log: silentLog, signal: stop.signal, identity: webIdentity },
    anchors: { current: () => anchors.current, onChange: (listener) => void listeners.push(listener) },
    readToken: async () => Buffer.from(`token ${++tokens}`),
    certify: async (request) => {
      requests.push(request);
      return await world.answer(request);
    },
    onEvent: (event) => events.push(event),
  });
  return world;
}

/** Moves both clocks, a minute at a time, so that real and certificate time go together. */
async function pass({ clock, pace }: World, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= minuteMs) {
    await pace.advance(Math.min(left, minuteMs));
    await clock.advance(Math.min(left, minuteMs));
  }
}

test('the request is signed by the key that stays, and each has a new key and the token of that moment', async () => {
  const world = await start();
  const credential = await world.keeper.first;
  await pass(world, 0.71 * dayMs);
  expect(world.requests.map(({ token }) => token.toString())).toEqual(['token 1', 'token 2']);
  const [first, second] = world.requests.map(({ certificateSigningRequest }) =>
    readRequest(certificateSigningRequest),
  );
  expect(requestIsSelfConsistent(first!)).toBe(true);
  expect(first!.subjectAltNames).toEqual([{ type: 'dns', value: webIdentity }]);
  expect(first!.publicKey.spec).toEqual({ type: 'ec', curve: 'P-256' });
  expect(second!.publicKey.spki).not.toEqual(first!.publicKey.spki);
  expect(credential.key.publicKey.spki).toEqual(first!.publicKey.spki);
  expect(credential.chain.map(({ der }) => der)[1]).toEqual(mesh.issuer.certificate.der);
  world.stop();
});

test('it is renewed when 70 % has passed, ten times in a row', async () => {
  const world = await start();
  await world.keeper.first;
  world.answer = (request) => issue(request, world.clock.now(), { lifetimeMs: hourMs });
  await pass(world, 0.71 * dayMs);
  const before = world.requests.length;
  expect(before).toBe(2);
  await pass(world, 10 * 0.7 * hourMs);
  expect(world.requests.length).toBe(before + 10);
  expect(world.events.map(({ event }) => event)).toEqual(['certified', ...Array<string>(11).fill('renewed')]);
  world.stop();
});

test('the time of the next request is linkerd2-proxy’s', () => {
  expect(refreshInMs(undefined, 0)).toBe(10 * secondMs);
  expect(refreshInMs(0, hourMs)).toBe(10 * secondMs);
  expect(refreshInMs(hourMs, 0)).toBe(0.7 * hourMs);
  expect(refreshInMs(5 * secondMs, 0)).toBe(10 * secondMs);
  expect(refreshInMs(90 * dayMs, 0)).toBe(dayMs);
});

test('whatever goes wrong, the last good credential stays to its own end and no longer', async () => {
  const world = await start();
  const credential = await world.keeper.first;
  world.answer = async () => {
    throw new Error('identity is down');
  };
  await pass(world, 0.71 * dayMs);
  expect(world.events.at(-1)).toEqual({ event: 'renewal-failed', reason: 'identity is down' });
  const early = world.requests.length;
  await pass(world, 0.28 * dayMs);
  expect(world.keeper.current()).toBe(credential);
  // 70 %, 91 % and 97.3 % of its life: each time 70 % of what is left.
  expect([early, world.requests.length]).toEqual([2, 4]);
  await pass(world, 0.02 * dayMs);
  expect(world.keeper.current()).toBeUndefined();
  // And it comes back as soon as identity does: every ten seconds by then.
  world.answer = (request) => issue(request, world.clock.now());
  await pass(world, minuteMs);
  expect(world.keeper.current()).toBeDefined();
  expect(world.events.at(-1)).toMatchObject({ event: 'renewed' });
  world.stop();
});

test('an answer that peers would not accept is refused', async () => {
  const foreign = await hierarchy('foreign');
  const stranger = await issuance('stranger')({
    ...{ commonName: 'x', by: mesh.issuer, ca: false },
    dnsNames: [webIdentity],
  });
  type Answer = (request: CertifyRequest, at: number) => Promise<Partial<CertifyResponse>>;
  const answers: [Answer, RegExp][] = [
    [async () => ({ validUntilMs: undefined }), /until when/],
    [async (_, at) => ({ validUntilMs: at }), /already expired/],
    [async () => ({ leafCertificate: stranger.certificate.der }), /for another key/],
    [async () => ({ leafCertificate: Buffer.from('nonsense') }), /certificate/],
    [async () => ({ intermediateCertificates: [] }), /is issued by .*identity\.linkerd\.cluster\.local/],
    [(request, at) => issue(request, at, { names: ['x.y'] }), /for x\.y, not web/],
    [(request, at) => issue(request, at, { issuer: foreign.issuer }), /is not signed by the key of/],
    [(request, at) => issue(request, at, { notBefore: at + hourMs }), /not valid yet/],
  ];
  for (const [answer, reason] of answers) {
    const world = await start();
    const credential = await world.keeper.first;
    world.answer = async (request) => ({
      ...(await issue(request, world.clock.now())),
      ...(await answer(request, world.clock.now())),
    });
    await pass(world, 0.71 * dayMs);
    expect(world.events.at(-1)).toMatchObject({
      event: 'renewal-failed',
      reason: expect.stringMatching(reason) as string,
    });
    expect(world.keeper.current()).toBe(credential);
    world.stop();
  }
});

test('anchors under which the leaf no longer chains bring a request forward', async () => {
  const next = await hierarchy('next');
  const world = await start();
  await world.keeper.first;
  world.anchors.swap([mesh.root.certificate, next.root.certificate]);
  await pass(world, minuteMs);
  expect(world.requests.length).toBe(1);
  world.answer = (request) => issue(request, world.clock.now(), { issuer: next.issuer });
  world.anchors.swap([next.root.certificate]);
  await pass(world, minuteMs);
  expect(world.requests.length).toBe(2);
  expect(world.keeper.current()!.chain[1]!.der).toEqual(next.issuer.certificate.der);
  world.stop();
});

test('stopped before it is certified, it says so', async () => {
  const world = await start();
  world.answer = async () => {
    throw new Error('identity is down');
  };
  world.stop();
  await expect(world.keeper.first).rejects.toMatchObject({ code: 'proxy.credential.stopped' });
});

test('trust anchors follow their file, and survive what is not one', async () => {
  const next = await hierarchy('next');
  const pace = new ManualClock(startMs);
  const stop = new AbortController();
  let text = mesh.root.pem;
  const reloads: number[] = [];
  const anchors = await followTrustAnchors({
    ...{ pace, everyMs: secondMs, log: silentLog, signal: stop.signal, source: 'ca-bundle.crt' },
    read: async () => {
      if (text === '') throw new Error('gone');
      return text;
    },
    onReloaded: (reloaded) => reloads.push(reloaded.length),
  });
  let told = 0;
  anchors.onChange(() => told++);
  expect(anchors.current().map(certificatePem).join('')).toBe(mesh.root.pem);
  for (const bad of ['', 'no certificates', mesh.root.pem.slice(0, 200)]) {
    text = bad;
    await pace.advance(3 * secondMs);
    expect(anchors.current().length).toBe(1);
  }
  text = mesh.root.pem + next.root.pem;
  await pace.advance(secondMs);
  expect(anchors.current().length).toBe(2);
  text = next.root.pem;
  await pace.advance(secondMs);
  expect([told, reloads]).toEqual([2, [2, 1]]);
  stop.abort();
});

test('anchors that cannot be read at the start are an error that names the file', async () => {
  const options = { pace: new ManualClock(), everyMs: secondMs, log: silentLog, signal: AbortSignal.abort() };
  const source = 'roots.pem';
  await expect(
    followTrustAnchors({ ...options, source, read: () => Promise.reject(new Error('no such file')) }),
  ).rejects.toMatchObject({ code: 'proxy.anchors', message: /roots\.pem.*no such file/ });
  expect(() => readTrustAnchors('', source)).toThrowError(/roots\.pem holds no trust anchors/);
});

test('tokens go in the clear to a loopback address only', () => {
  const options = {
    anchors: fixedTrustAnchors(mesh.root.pem),
    clock: new ManualClock(),
    serverName: undefined,
  };
  expect(() => certifyClient({ ...options, address: { host: '10.0.0.1', port: 8080 } })).toThrowError(
    /in the clear/,
  );
  for (const host of ['127.0.0.1', '127.8.9.10', '::1', 'localhost']) {
    expect(certifyClient({ ...options, address: { host, port: 8080 } })).toBeTypeOf('function');
  }
});
