import { afterEach, beforeEach, expect, test } from 'vitest';
import { dayMs } from '../src/base/duration.ts';
import { type TestVault, testVault } from './support/vault.ts';

let vault: TestVault;

beforeEach(async () => {
  vault = await testVault();
  await vault.call('POST', 'sys/mounts/pki', { type: 'pki' });
  await vault.call('POST', 'pki/root/generate/internal', { common_name: 'root', key_type: 'ec' });
  await vault.call('POST', 'pki/roles/web', { allow_any_name: true, key_type: 'ec', ttl: '24h' });
});
afterEach(() => vault.close());

async function finished(): Promise<Record<string, unknown>> {
  for (;;) {
    const { data } = await vault.call('GET', 'pki/tidy-status');
    if (data.state !== 'Running') return data;
  }
}

test('certificates that are over leave, and the status tells of it', async () => {
  const before = await vault.call('GET', 'pki/tidy-status');
  expect(before.data).toMatchObject({ state: 'Inactive', safety_buffer: null, time_started: null });
  await vault.call('POST', 'pki/issue/web', { common_name: 'a.example' });
  const { data } = await vault.call('POST', 'pki/issue/web', { common_name: 'b.example' });
  await vault.call('POST', 'pki/revoke', { serial_number: data.serial_number });
  await vault.clock.advance(3 * dayMs);
  const started = await vault.call('POST', 'pki/tidy', {
    tidy_cert_store: true,
    tidy_revoked_certs: true,
    safety_buffer: '24h',
  });
  expect(started.status).toBe(202);
  expect(started.warnings[0]).toContain('Tidy operation successfully started');
  expect(await finished()).toMatchObject({
    state: 'Finished',
    cert_store_deleted_count: 2,
    revoked_cert_deleted_count: 1,
    safety_buffer: 86_400,
    revoked_safety_buffer: 86_400,
    pause_duration: '0s',
    error: null,
    message: null,
  });
  expect((await vault.call('LIST', 'pki/certs')).data.keys).toHaveLength(1);
  const cancelled = await vault.call('POST', 'pki/tidy-cancel', {});
  expect(cancelled.warnings).toEqual(['Tidy operation cannot be cancelled as none is currently running.']);
});

test('without anything to do it says so; what makes no sense is refused', async () => {
  const { status, warnings } = await vault.call('POST', 'pki/tidy', {});
  expect([status, warnings[0]]).toEqual([202, expect.stringContaining('no tidy operations were set')]);
  await finished();
  const refusals = [
    [{ safety_buffer: 0 }, 'safety_buffer must be greater than zero'],
    [{ page_size: 3 }, 'page_size must be greater than five'],
    [{ pause_duration: 'long' }, 'Error parsing pause_duration: time: invalid duration "long"'],
  ] as const;
  for (const [body, message] of refusals) {
    expect((await vault.call('POST', 'pki/tidy', body)).errors).toEqual([message]);
  }
});

test('by itself it happens as it was set to', async () => {
  const read = await vault.call('GET', 'pki/config/auto-tidy');
  expect(read.data).toMatchObject({
    enabled: false,
    interval_duration: 43_200,
    safety_buffer: 259_200,
    issuer_safety_buffer: 31_536_000,
    page_size: 1_000,
  });
  const nothing = await vault.call('POST', 'pki/config/auto-tidy', { enabled: true });
  expect(nothing.errors[0]).toContain('Auto-tidy enabled but no tidy operations were requested');
  const set = await vault.call('POST', 'pki/config/auto-tidy', {
    enabled: true,
    tidy_cert_store: true,
    interval_duration: '1h',
  });
  expect(set.data).toMatchObject({ enabled: true, interval_duration: 3_600, tidy_cert_store: true });
  await vault.call('POST', 'pki/issue/web', { common_name: 'a.example' });
  await vault.clock.advance(5 * dayMs);
  await finished();
  expect((await vault.call('LIST', 'pki/certs')).data.keys).toHaveLength(1);
});
