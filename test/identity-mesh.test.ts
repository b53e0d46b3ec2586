import * as grpc from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../src/base/clock.ts';
import { dayMs, hourMs } from '../src/base/duration.ts';
import { systemEntropy } from '../src/base/entropy.ts';
import { silentLog } from '../src/base/log.ts';
import { ManualClock } from '../src/base/manual-clock.ts';
import { type IdentityServer, startIdentity } from '../src/identity/server.ts';
import type { KubeEvent } from '../src/kube/event-recorder.ts';
import { events, serviceAccounts } from '../src/kube/resource.ts';
import { type MeshedEvent, type MeshedRole, runMeshedProcess } from '../src/proxy/meshed-process.ts';
import { foreignCertify } from './support/foreign-certify.ts';
import {
  certifyRequest,
  type Hierarchy,
  hierarchy,
  identityService,
  webIdentity,
} from './support/identity-fixture.ts';
import { type MeshCluster, meshCluster } from './support/mesh-cluster.ts';

const votingIdentity = 'voting.emojivoto.serviceaccount.identity.linkerd.cluster.local';

let cluster: MeshCluster;
beforeAll(async () => {
  cluster = await meshCluster(['web', 'voting', 'stranger', 'impostor']);
});
afterAll(() => cluster.close());

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop();
});

interface Mesh {
  /** Certificate time: moves only when told to, while the network goes on in real time. */
  clock: ManualClock;
  identity: IdentityServer;
  first: Hierarchy;
  /** The file of trust anchors that every workload follows. */
  anchors: { pem: string };
}

async function startMesh(seed: string, tls = true): Promise<Mesh> {
  const clock = new ManualClock(Date.now());
  const first = await hierarchy(seed, { notBefore: clock.now() - hourMs });
  await cluster.putRoots(first.root.pem);
  await cluster.putIssuer(first.issuer);
  const identity = await startIdentity({
    ...{ kube: cluster.identityClient, clock, entropy: systemEntropy, log: silentLog, tls },
    listen: { host: '127.0.0.1', port: 0 },
  });
  stops.push(() => identity.close());
  return { clock, identity, first, anchors: { pem: first.root.pem } };
}

interface Workload {
  events: MeshedEvent[];
  count(event: string): number;
  /** The `ordinal`-th event of that name, past or coming. */
  event(name: string, ordinal?: number): Promise<MeshedEvent>;
}

function startWorkload(
  mesh: Mesh,
  name: string,
  role: MeshedRole,
  from: 'identity' | 'nobody' | 'foreign root' = 'identity',
): Workload {
  const { clock, identity, anchors } = mesh;
  const stop = new AbortController();
  const told: MeshedEvent[] = [];
  const named = (event: string) => told.filter((one) => one.event === event);
  const credential = {
    identity: {
      from: 'identity',
      address: identity.address,
      serverName: identityService,
      readToken: async () => Buffer.from(await cluster.token(name)),
    },
    nobody: { from: 'nobody' },
    'foreign root': { from: 'foreign root' },
  } as const;
  const ended = runMeshedProcess({
    identity: `${name}.emojivoto.serviceaccount.identity.linkerd.cluster.local`,
    anchors: { source: 'ca-bundle.crt', read: async () => anchors.pem },
    credential: credential[from],
    ...{ role, clock, pace: systemClock, entropy: systemEntropy, log: silentLog, signal: stop.signal },
    onEvent: (event) => told.push(event),
  });
  stops.push(() => {
    stop.abort();
    return ended;
  });
  return {
    events: told,
    count: (event) => named(event).length,
    event: (event, ordinal = 1) =>
      expect
        .poll(() => named(event)[ordinal - 1], { timeout: 20_000, message: `${name}: ${event} ${ordinal}` })
        .toBeDefined()
        .then(() => named(event)[ordinal - 1]!),
  };
}

const anywhere = { does: 'listen', address: { host: '127.0.0.1', port: 0 } } as const;

async function startPair(mesh: Mesh): Promise<{ voting: Workload; web: Workload; dial: MeshedRole }> {
  const voting = startWorkload(mesh, 'voting', anywhere);
  const { address } = await voting.event('listening');
  const port = Number(String(address).split(':')[1]);
  const dial = {
    does: 'connect',
    address: { host: '127.0.0.1', port },
    peer: votingIdentity,
    intervalMs: 50,
  } as const;
  return { voting, web: startWorkload(mesh, 'web', dial), dial };
}

test('real tokens of the API certify, and only for what they are for', async () => {
  const { identity } = await startMesh('tokens', false);
  const certify = async (token: string, name = webIdentity) =>
    await foreignCertify(identity.address.port, await certifyRequest({ token, identity: name })).then(
      () => grpc.status.OK,
      ({ code }: grpc.ServiceError) => code,
    );
  expect(await certify(await cluster.token('web'))).toBe(grpc.status.OK);
  expect(await certify(await cluster.token('web'), votingIdentity)).toBe(grpc.status.FAILED_PRECONDITION);
  expect(await certify('not-a-token')).not.toBe(grpc.status.OK);
  expect(await certify(await cluster.token('web', 'https://kubernetes.default.svc'))).not.toBe(
    grpc.status.OK,
  );
  const token = await cluster.token('impostor');
  await cluster.admin.delete(serviceAccounts, 'impostor', 'emojivoto');
  expect(await certify(token, webIdentity.replace('web', 'impostor'))).not.toBe(grpc.status.OK);
  await expect
    .poll(async () => {
      const { items } = await cluster.admin.list<KubeEvent>(events, { namespace: 'emojivoto' });
      return items.filter(({ reason }) => reason === 'IssuedLeafCertificate').map(({ message }) => message);
    })
    .toEqual([
      expect.stringMatching(/^issued certificate for web\.emojivoto\..* until .* \+0000 UTC: [0-9a-f]{64}$/),
    ]);
});

test('two workloads renew and rotate their root without a failed exchange', async () => {
  const mesh = await startMesh('rotation');
  const { clock, anchors, first } = mesh;
  const { voting, web } = await startPair(mesh);
  expect(await web.event('exchanged')).toMatchObject({
    connection: 'kept',
    client: webIdentity,
    server: votingIdentity,
    protocol: expect.stringMatching(/^TLSv1\.3 /) as string,
  });
  const renewals = async (count: number) => {
    for (const workload of [voting, web]) await workload.event('renewed', count);
    await web.event('exchanged', web.count('exchanged') + 4);
  };
  await clock.advance(0.71 * dayMs);
  await renewals(1);

  // Both roots, then the next issuer, then the old root goes: no restart anywhere.
  const next = await hierarchy('rotation-next', { notBefore: clock.now() - hourMs });
  anchors.pem = first.root.pem + next.root.pem;
  await cluster.putRoots(anchors.pem);
  for (const workload of [voting, web]) await workload.event('anchors-reloaded');
  await cluster.putIssuer(next.issuer);
  await expect
    .poll(async () => {
      const { items } = await cluster.admin.list<KubeEvent>(events, { namespace: 'linkerd' });
      return items.filter(({ reason }) => reason === 'IssuerUpdated').map(({ message }) => message);
    })
    .toEqual(['Updated identity issuer']);
  await clock.advance(0.71 * dayMs);
  await renewals(2);
  anchors.pem = next.root.pem;
  await cluster.putRoots(anchors.pem);
  for (const workload of [voting, web]) await workload.event('anchors-reloaded', 2);
  await clock.advance(0.71 * dayMs);
  await renewals(3);
  expect([voting.count('refused'), web.count('refused'), web.count('failed')]).toEqual([0, 0, 0]);
  const kept = web.events.filter(({ event, connection }) => event === 'exchanged' && connection === 'kept');
  // The connection that was opened first saw it all, under the leaf it was opened with.
  expect(new Set(kept.map(({ leaf }) => leaf)).size).toBe(1);
  const fresh = web.events.filter(({ event, connection }) => event === 'exchanged' && connection === 'new');
  expect(new Set(fresh.map(({ leaf }) => leaf)).size).toBe(4);
});

test('who has no place in the mesh is refused, at both ends', async () => {
  const mesh = await startMesh('strangers');
  const { voting, web, dial } = await startPair(mesh);
  await web.event('exchanged');
  const bare = startWorkload(mesh, 'stranger', dial, 'nobody');
  expect((await bare.event('refused')).reason).toMatch(
    /hung up after the handshake on a client with no certificate/,
  );
  expect(await voting.event('refused')).toMatchObject({ kind: 'no-certificate' });
  const impostor = startWorkload(mesh, 'web', dial, 'foreign root');
  expect((await impostor.event('refused')).reason).toMatch(/certificate from another root/);
  await expect
    .poll(() => voting.events.find(({ kind }) => kind === 'unknown-authority')?.reason)
    .toMatch(/root\.of\.nobody/);
  const misled = startWorkload(mesh, 'web', { ...dial, peer: webIdentity } as MeshedRole);
  expect((await misled.event('refused')).reason).toMatch(/the server is voting\..*, not web\./);
  for (const stranger of [bare, impostor, misled]) expect(stranger.count('exchanged')).toBe(0);
  expect(web.count('failed')).toBe(0);
});

test('while identity is down nothing fails, and when it is back the leaf is renewed', async () => {
  const mesh = await startMesh('outage');
  const { clock } = mesh;
  const { voting, web } = await startPair(mesh);
  await web.event('exchanged');
  const { address } = mesh.identity;
  await mesh.identity.close();
  await clock.advance(0.71 * dayMs);
  for (const workload of [voting, web]) await workload.event('renewal-failed');
  await web.event('exchanged', web.count('exchanged') + 4);
  const again = await startIdentity({
    ...{ kube: cluster.identityClient, clock, entropy: systemEntropy, log: silentLog, tls: true },
    listen: address,
  });
  stops.push(() => again.close());
  const renewed = Promise.all([voting, web].map((workload) => workload.event('renewed')));
  // The next try comes at 70 % of what is left of certificate time; from there on, real time has to pass.
  const tick = async (realMs: number) => {
    await clock.advance(0.01 * dayMs);
    await Promise.race([renewed, new Promise((resolve) => setTimeout(resolve, realMs))]);
  };
  for (let left = 21; left > 0; left--) await tick(20);
  while (voting.count('renewed') === 0 || web.count('renewed') === 0) await tick(3_000);
  await renewed;
  expect(web.count('failed')).toBe(0);
});
