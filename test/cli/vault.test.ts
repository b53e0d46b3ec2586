import { globSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ManualClock } from '../../src/base/manual-clock.ts';
import { systemSinks } from '../../src/vault/audit/sink.ts';
import { root } from '../support/capstan.ts';
import { runTranscript } from '../support/transcript.ts';
import { testVault } from '../support/vault.ts';

const openSink = systemSinks(() => Promise.reject(new Error('no device writes to standard output here')));
const folder = join(root, 'test', 'cli', 'vault');
const transcripts = globSync('*.txt', { cwd: folder }).toSorted();

test('there are transcripts', () => {
  expect(transcripts).toContain('tutorial.txt');
});

test.each(transcripts)('%s', async (name) => {
  // What judges certificates reads the clock that the commands have.
  const clock = name.startsWith('pki') ? new ManualClock(Date.now()) : new ManualClock();
  const vault = await testVault({ rootToken: 'my-token', openSink, clock });
  try {
    // Two of them are about logging in; the others begin with a token.
    const loggedOut = name === 'login.txt' || name === 'tutorial.txt';
    await runTranscript(join(folder, name), {
      env: { VAULT_ADDR: vault.endpoint, ...(loggedOut ? {} : { VAULT_TOKEN: 'my-token' }) },
      names: { address: vault.endpoint },
    });
  } finally {
    await vault.close();
  }
});
