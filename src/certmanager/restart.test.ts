import { expect, test } from 'vitest';
import { type CertificateWorld, certificateWorld } from '../../test/support/certificate-world.ts';
import { hourMs, minuteMs } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { secrets } from '../kube/resource.ts';
import { keys } from './kinds.ts';

/** A client that lets `writes` writes through and from then on answers nothing: what a killed process sees. */
function mortal(kube: KubeClient, writes: number): { client: KubeClient; written: () => number } {
  let left = writes;
  const spend = <A extends unknown[], R>(act: (...given: A) => Promise<R>) => {
    return async (...given: A): Promise<R> => {
      if (left <= 0)
        throw new Fault('the connection is gone', { code: 'wire.request.failed', blame: 'peer' });
      left--;
      return act(...given);
    };
  };
  const client = {
    ...kube,
    create: spend((resource: Parameters<KubeClient['create']>[0], object) => kube.create(resource, object)),
    replace: spend((...given: Parameters<KubeClient['replace']>) => kube.replace(...given)),
    replaceStatus: spend((...given: Parameters<KubeClient['replaceStatus']>) => kube.replaceStatus(...given)),
    apply: spend((...given: Parameters<KubeClient['apply']>) => kube.apply(...given)),
    mergePatch: spend((...given: Parameters<KubeClient['mergePatch']>) => kube.mergePatch(...given)),
    delete: spend((...given: Parameters<KubeClient['delete']>) => kube.delete(...given)),
  } as KubeClient;
  return { client, written: () => writes - left };
}

/** What must be the same whenever the process died on the way. */
async function state(world: CertificateWorld) {
  const { status } = await world.certificate();
  const { items } = await world.kube.list(secrets);
  const secret = (await world.secret())!;
  return {
    revision: status!.revision,
    conditions: status!.conditions!.map(({ type, status, reason }) => [type, status, reason]),
    attempts: status!.failedIssuanceAttempts,
    nextKey: status!.nextPrivateKeySecretName,
    keySecrets: items.filter(({ metadata }) => metadata.labels?.[keys.nextPrivateKey]).length,
    requests: (await world.requests()).map(({ metadata }) => metadata.name),
    metadata: [secret.metadata.labels, secret.metadata.annotations],
    dataKeys: Object.keys(secret.data!).toSorted(),
  };
}

async function prepared(): Promise<CertificateWorld> {
  const world = await certificateWorld();
  await world.createToken();
  await world.createIssuer();
  await world.createCertificate();
  return world;
}

/** Writes that a first issuance takes, events among them. */
async function writesOfIssuance(): Promise<number> {
  const world = await prepared();
  const plenty = 1_000;
  const { client, written } = mortal(world.kube, plenty);
  const manager = await world.start(client);
  await world.settle();
  await manager.close();
  return written();
}

test('killed after any write of a first issuance, the next process ends in the same state', async () => {
  const whole = await prepared();
  await whole.start();
  await whole.settle();
  await whole.clock.advance(minuteMs);
  const wanted = await state(whole);
  expect(wanted).toMatchObject({ revision: 1, keySecrets: 0, requests: ['linkerd-identity-issuer-1'] });
  const writes = await writesOfIssuance();
  expect(writes).toBeGreaterThan(8);
  for (let k = 0; k <= writes; k++) {
    const world = await prepared();
    const first = await world.start(mortal(world.kube, k).client);
    await world.settle();
    await first.close();
    const second = await world.start();
    await world.settle();
    await world.clock.advance(minuteMs);
    expect(await state(world), `after write ${k}`).toEqual(wanted);
    await second.close();
  }
});

test('killed after any write of a renewal, the next process ends in the same state', async () => {
  async function renewed(killAfter: number): Promise<CertificateWorld> {
    const world = await prepared();
    const first = await world.start();
    await world.settle();
    await first.close();
    // The issuer is looked at once an hour, and by each process at its start: none of that writes.
    await world.clock.advance(22 * hourMs + 59 * minuteMs);
    const second = await world.start(mortal(world.kube, killAfter).client);
    await world.clock.advance(2 * minuteMs);
    await second.close();
    const third = await world.start();
    await world.clock.advance(2 * minuteMs);
    await third.close();
    return world;
  }
  const wanted = await state(await renewed(1_000));
  expect(wanted).toMatchObject({ revision: 2, keySecrets: 0, requests: ['linkerd-identity-issuer-2'] });
  for (let k = 0; k <= 14; k++) expect(await state(await renewed(k)), `after write ${k}`).toEqual(wanted);
});

test('off over the time of renewal: renewed at the start, from the status alone', async () => {
  const world = await prepared();
  const first = await world.start();
  await world.settle();
  await first.close();
  await world.clock.advance(30 * hourMs);
  expect((await world.certificate()).status!.revision).toBe(1);
  const second = await world.start();
  await world.settle();
  expect((await world.certificate()).status!.revision).toBe(2);
  await second.close();
});

test('conflicts on every other status write cost nothing but a retry', async () => {
  const world = await prepared();
  let turn = 0;
  world.kube.beforeWrite = (verb) => {
    if (verb === 'replaceStatus' && turn++ % 2 === 0) {
      throw new Fault('the object has been modified', { code: 'kube.conflict', blame: 'caller' });
    }
  };
  const manager = await world.start();
  await world.clock.advance(10 * minuteMs);
  expect(await state(world)).toMatchObject({ revision: 1, keySecrets: 0, attempts: undefined });
  await manager.close();
});
