import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/support/capstan.ts';
import { exampleNow, issue } from '../../../test/support/example-chain.ts';
import { runAt } from '../../../test/support/in-process.ts';
import { hourMs, minuteMs } from '../../base/duration.ts';
import { ManualClock } from '../../base/manual-clock.ts';
import { certificatePem } from '../../x509/certificate.ts';
import { isDue, readThreshold } from './needs-renewal.ts';

const folder = temporaryFolder();
afterAll(folder.remove);

const lived = (usedHours: number, leftHours: number) =>
  issue({
    name: 'web',
    override: { notBefore: exampleNow - usedHours * hourMs, notAfter: exampleNow + leftHours * hourMs },
  });
const young = certificatePem((await lived(65, 35)).certificate);
const old = certificatePem((await lived(66, 34)).certificate);
const expired = certificatePem((await lived(48, -1)).certificate);
for (const [name, text] of Object.entries({
  'young.pem': young,
  'old.pem': old,
  'expired.pem': expired,
  'both.pem': young + old,
  'garbage.pem': 'nothing',
})) {
  writeFileSync(join(folder.path, name), text);
}

async function needsRenewal(...args: string[]) {
  const ended = await runAt(['certificate', 'needs-renewal', ...args], {
    cwd: folder.path,
    clock: new ManualClock(exampleNow),
  });
  return { ...ended, stdout: ended.stdout.toString() };
}

describe('needs-renewal', () => {
  test.each([
    [['old.pem'], 0],
    [['young.pem'], 1],
    [['expired.pem'], 0],
    [['both.pem'], 1],
    [['both.pem', '--bundle'], 0],
    [['young.pem', '--expires-in', '65%'], 0],
    [['young.pem', '--expires-in', '0%'], 0],
    [['old.pem', '--expires-in=67%'], 1],
    [['young.pem', '--expires-in', '35h'], 0],
    [['young.pem', '--expires-in', '34h59m59s'], 1],
    [['young.pem', '--expires-in', '0s'], 1],
    [['expired.pem', '--expires-in', '0s'], 0],
    [['expired.pem', '--expires-in', '-1h'], 0],
    [['expired.pem', '--expires-in', '-61m'], 1],
  ])('%j ends with %d and says nothing', async (args, status) => {
    expect(await needsRenewal(...args)).toEqual({ status, stdout: '', stderr: '' });
  });

  test('--verbose says it: on stdout where it is due, on stderr where it is not', async () => {
    expect(await needsRenewal('old.pem', '-v')).toEqual({
      status: 0,
      stdout: 'certificate needs renewal\n',
      stderr: '',
    });
    expect(await needsRenewal('young.pem', '--verbose')).toEqual({
      status: 1,
      stdout: '',
      stderr: 'certificate does not need renewal\n',
    });
  });

  test('a file that is not there is status 2, anything else that fails 255', async () => {
    expect(await needsRenewal('absent.pem')).toMatchObject({
      status: 2,
      stderr: 'capstan: error reading absent.pem: no such file or directory\n',
    });
    expect((await needsRenewal('garbage.pem')).status).toBe(255);
    expect((await needsRenewal()).status).toBe(255);
    expect((await needsRenewal('old.pem', 'young.pem')).status).toBe(255);
    expect((await needsRenewal('https://127.0.0.1:1')).status).toBe(255);
    expect((await needsRenewal('https://127.0.0.1:1', '--roots', 'absent.pem')).status).toBe(255);
    expect((await needsRenewal('old.pem', '--roots', 'absent.pem')).status).toBe(0);
  });

  test.each(['101%', '-1%', '6.5%', '%', '10', 'soon', ''])('--expires-in %j is refused', async (text) => {
    const { status, stderr } = await needsRenewal('old.pem', `--expires-in=${text}`);
    expect(status).toBe(255);
    expect(stderr).toContain(`invalid value '${text}' for flag '--expires-in'`);
  });
});

test('a certificate is due exactly when its share is used up', () => {
  const lifetime = { notBefore: 0, notAfter: 100 * minuteMs };
  for (let percent = 0; percent <= 100; percent++) {
    const threshold = readThreshold(`${percent}%`);
    expect(isDue(lifetime, threshold, percent * minuteMs)).toBe(true);
    if (percent > 0) expect(isDue(lifetime, threshold, percent * minuteMs - 1)).toBe(false);
  }
});
