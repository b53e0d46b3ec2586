import { expect, test } from 'vitest';
import { noSinks } from '../../test/support/vault.ts';
import { seededEntropy } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import { silentLog } from '../base/log.ts';
import { ManualClock } from '../base/manual-clock.ts';
import type { Following } from '../store/following.ts';
import { memoryStore } from '../store/memory.ts';
import { openVault } from './open-vault.ts';
import type { VaultRequest } from './routing/route.ts';

/** A database that is away until it is told to come back. */
function away(): Following & { back: () => void } {
  let here = false;
  return {
    back: () => {
      here = true;
    },
    follow: () => () => {},
    fresh: async () => {
      if (!here) throw new Fault('away', { code: 'store.unavailable', blame: 'operator' });
    },
  };
}

const mounts: VaultRequest = {
  id: '1',
  operation: 'read',
  path: 'sys/mounts',
  data: {},
  token: 'root',
  origin: { method: 'GET', headers: {}, remoteAddress: '', remotePort: 0, peerCertificates: [] },
};

const open = (following: Following, clock: ManualClock) =>
  openVault({
    store: memoryStore(),
    clock,
    entropy: seededEntropy('patient'),
    log: silentLog,
    openSink: noSinks,
    dialer: {
      addresses: () => Promise.reject(new Error('no name is looked up')),
      texts: () => Promise.reject(new Error('no name is looked up')),
      connect: () => Promise.reject(new Error('nothing is dialled')),
    },
    following,
    dev: { rootToken: 'root' },
  });

test('a request waits for a database that fails over', async () => {
  const clock = new ManualClock();
  const database = away();
  const { core, ...vault } = await open(database, clock);
  const answered = core.handle(mounts);
  await clock.advance(4_000);
  database.back();
  await clock.advance(1_000);
  expect((await answered).answer?.data).toHaveProperty('sys/');
  vault.close();
});

test('but not for ever', async () => {
  const clock = new ManualClock();
  const { core, ...vault } = await open(away(), clock);
  const refused = expect(core.handle(mounts)).rejects.toMatchObject({ code: 'store.unavailable' });
  await clock.advance(6_000);
  await refused;
  vault.close();
});
