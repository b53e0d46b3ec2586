import { createServer, request as forward } from 'node:http';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { systemEntropy } from '../../src/base/entropy.ts';
import { silentLog } from '../../src/base/log.ts';
import { ManualClock } from '../../src/base/manual-clock.ts';
import { run } from '../../src/cli/main.ts';
import { memoryStore } from '../../src/store/memory.ts';
import type { AutoSeal } from '../../src/vault/seal/auto-seal.ts';
import { startSealedVault } from '../../src/vault/seal/sealed-server.ts';
import { staticSeal } from '../../src/vault/seal/static-seal.ts';
import { systemDialer } from '../../src/wire/dialer.ts';
import { formatAddress, listen } from '../../src/wire/http-server.ts';
import { program, root } from '../support/capstan.ts';
import { runInProcess, runTranscript } from '../support/transcript.ts';
import { noSinks } from '../support/vault.ts';

async function withServer(use: (address: string) => Promise<void>, autoSeal?: AutoSeal): Promise<void> {
  const server = await startSealedVault({
    store: memoryStore(),
    clock: new ManualClock(),
    entropy: systemEntropy,
    log: silentLog,
    openSink: noSinks,
    dialer: systemDialer,
    autoSeal,
    listeners: [{ at: { host: '127.0.0.1', port: 0 } }],
  });
  try {
    await use(`http://${formatAddress(server.addresses[0]!)}`);
  } finally {
    await server.close();
  }
}

test.each(['operator.txt', 'rekey.txt', 'generate-root.txt', 'keys.txt'])('%s', (file) =>
  withServer((address) =>
    runTranscript(join(root, 'test', 'cli', 'operator', file), {
      env: { VAULT_ADDR: address },
      names: { address },
    }),
  ),
);

test('recovery.txt', () => {
  const current = { id: 'one', key: systemEntropy.bytes(32) };
  return withServer(
    (address) =>
      runTranscript(join(root, 'test', 'cli', 'operator', 'recovery.txt'), {
        env: { VAULT_ADDR: address },
        names: { address },
      }),
    staticSeal({ current }, systemEntropy),
  );
});

/** As OpenBao stands unless it is told otherwise: what key holders do takes a token, at paths of its own. */
async function likeOpenBao(address: string, use: (address: string) => Promise<void>): Promise<void> {
  const server = createServer((request, response) => {
    if (/^\/v1\/sys\/(?:rekey|rekey-recovery-key|generate-root)\//.test(request.url!)) {
      response.writeHead(405).end('{"errors":["unsupported operation"]}');
      return;
    }
    const { method, headers } = request;
    const onward = forward(`${address}${request.url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  const listening = await listen(server, { host: '127.0.0.1', port: 0 });
  try {
    await use(`http://${formatAddress(listening.address)}`);
  } finally {
    await listening.close();
  }
}

test('openbao.txt', () =>
  withServer((behind) =>
    likeOpenBao(behind, (address) =>
      runTranscript(join(root, 'test', 'cli', 'operator', 'openbao.txt'), {
        env: { VAULT_ADDR: address },
        names: { address },
      }),
    ),
  ));

test('for programs: keys as JSON, each read from stdin', () =>
  withServer(async (address) => {
    const vault = (args: readonly string[], stdin = '') =>
      runInProcess(['vault', ...args], { env: { VAULT_ADDR: address, HOME: root }, cwd: root, stdin });
    const init = await vault(['operator', 'init', '-format=json', '-n=4', '-t', '2']);
    expect([init.status, init.stderr]).toEqual([0, '']);
    const told = JSON.parse(init.stdout) as Record<string, unknown>;
    // The order of Vault's own client, which line-based scripts have come to count on.
    expect(Object.keys(told)).toEqual([
      ...['unseal_keys_b64', 'unseal_keys_hex', 'unseal_shares', 'unseal_threshold'],
      ...['recovery_keys_b64', 'recovery_keys_hex', 'recovery_keys_shares', 'recovery_keys_threshold'],
      'root_token',
    ]);
    expect(told).toMatchObject({ unseal_shares: 4, unseal_threshold: 2, recovery_keys_b64: [] });
    const [first, second] = told.unseal_keys_hex as [string, string];
    expect((await vault(['operator', 'unseal', '-'], `${first}\n`)).stdout).toMatch(
      /Unseal Progress {4}1\/2/,
    );
    const done = await vault(['operator', 'unseal', '-format=json', second]);
    expect(done.status).toBe(0);
    expect(JSON.parse(done.stdout)).toMatchObject({ sealed: false, t: 2, n: 4, ha_enabled: false });
    expect((await vault(['status'])).status).toBe(0);
  }));

test('a key typed at a terminal is not shown, and not printed', () =>
  withServer(async (address) => {
    const init = await fetch(`${address}/v1/sys/init`, {
      method: 'PUT',
      body: JSON.stringify({ secret_shares: 1, secret_threshold: 1 }),
    });
    const [key] = ((await init.json()) as { keys_base64: string[] }).keys_base64;
    const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => {} });
    stdin.write(`${key}\r`);
    let shown = '';
    const screen = new Writable({
      write(chunk: Buffer, _encoding, done) {
        shown += chunk.toString();
        done();
      },
    });
    const status = await run(['vault', 'operator', 'unseal'], {
      stdin,
      stdout: screen,
      stderr: screen,
      env: { VAULT_ADDR: address, HOME: root },
      program,
      cwd: root,
      clock: systemClock,
      entropy: systemEntropy,
      signal: new AbortController().signal,
    });
    expect(status).toBe(0);
    expect(shown).toMatch(/^Unseal Key \(will be hidden\): \nKey .*Sealed +false\n/s);
    expect(shown).not.toContain(key);
  }));
