import { expect, test } from 'vitest';
import { hourMs, minuteMs } from '../../base/duration.ts';
import { seededEntropy } from '../../base/entropy.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { memoryStore } from '../../store/memory.ts';
import { storedNonces } from './nonces.ts';

const clock = () => new ManualClock(Date.UTC(2027, 0, 31, 12));
const badNonce = expect.objectContaining({ code: 'acme.badNonce' }) as unknown;

function nodeOn(store: ReturnType<typeof memoryStore>, time: ManualClock, seed: string) {
  const commit = (batch: Parameters<typeof store.commit>[0]) => store.commit(batch);
  return storedNonces({ store, prefix: 'acme/', clock: time, entropy: seededEntropy(seed), commit });
}

test('a nonce is good once, on whichever node it is shown', async () => {
  const store = memoryStore();
  const time = clock();
  const [one, other] = [nodeOn(store, time, 'a'), nodeOn(store, time, 'b')];
  const [first, second] = [await one.make(), await other.make()];
  await other.take(first);
  await one.take(second);
  for (const node of [one, other]) {
    await expect(node.take(first)).rejects.toEqual(badNonce);
    await expect(node.take(second)).rejects.toEqual(badNonce);
  }
});

test('of many that show one nonce at once, one is taken', async () => {
  const store = memoryStore();
  const time = clock();
  const nodes = [nodeOn(store, time, 'a'), nodeOn(store, time, 'b')];
  const nonce = await nodes[0]!.make();
  const tries = await Promise.allSettled(
    Array.from({ length: 20 }, (_, index) => nodes[index % 2]!.take(nonce)),
  );
  expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
});

test('a nonce outlives a restart, and grows old', async () => {
  const store = memoryStore();
  const time = clock();
  const nonce = await nodeOn(store, time, 'a').make();
  const old = await nodeOn(store, time, 'b').make();
  await time.advance(90 * minuteMs);
  await nodeOn(store, time, 'c').take(nonce);
  await time.advance(31 * minuteMs);
  await expect(nodeOn(store, time, 'd').take(old)).rejects.toEqual(badNonce);
});

test('what was not handed out is refused', async () => {
  const node = nodeOn(memoryStore(), clock(), 'a');
  const foreign = await nodeOn(memoryStore(), clock(), 'b').make();
  const bytes = Buffer.from(await node.make(), 'base64url');
  bytes[0]! ^= 1;
  const spelled = `${await node.make()}=`;
  for (const nonce of ['', 'x', foreign, bytes.toString('base64url'), spelled, 'A'.repeat(10_000)]) {
    await expect(node.take(nonce)).rejects.toEqual(badNonce);
  }
});

test('used nonces do not pile up', async () => {
  const store = memoryStore();
  const time = clock();
  const node = nodeOn(store, time, 'a');
  for (let hour = 0; hour < 10; hour++) {
    for (let each = 0; each < 30; each++) await node.take(await node.make());
    await time.advance(hourMs);
  }
  const kept = await store.list({ prefix: 'acme/nonce/' });
  expect(kept.length).toBeLessThanOrEqual(60);
});
