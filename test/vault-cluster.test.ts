import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { systemEntropy } from '../src/base/entropy.ts';
import { serialText } from '../src/x509/certificate.ts';
import { readCrl } from '../src/x509/crl.ts';
import { generateKey } from '../src/x509/key.ts';
import { nameOf } from '../src/x509/name.ts';
import { buildRequest, requestPem } from '../src/x509/request.ts';
import { signerOf } from '../src/x509/signature.ts';
import { temporaryFolder } from './support/capstan.ts';
import { contradictions, type FinalState, type Operation } from './support/cluster-history.ts';
import { postgresMissing, startPostgres, type TestPostgres } from './support/postgres.ts';
import { callVault, type VaultReply } from './support/vault.ts';
import { initialise, type Secrets, startNode, unseal, type VaultNode } from './support/vault-nodes.ts';

const clients = 32;
const kills = 4;
const killEveryMs = 1_500;
const usesPerToken = 4;

describe.skipIf(postgresMissing)(postgresMissing ?? 'three servers on one PostgreSQL database', () => {
  const folder = temporaryFolder();
  let database: TestPostgres;
  let nodes: VaultNode[];
  let secrets: Secrets;
  let csr: string;

  beforeAll(async () => {
    database = await startPostgres();
    nodes = await Promise.all(['a', 'b', 'c'].map((name) => startNode(database, join(folder.path, name))));
    secrets = await initialise(nodes[0]!);
    await Promise.all(nodes.map((node) => unseal(node, secrets)));
    const key = generateKey({ type: 'ec', curve: 'P-256' }, systemEntropy);
    const template = { subject: nameOf({ commonName: 'work' }), extensions: [] };
    csr = requestPem(await buildRequest(template, signerOf(key)));
  });
  afterAll(async () => {
    await Promise.all(nodes.map((node) => node.kill()));
    await database.remove();
    folder.remove();
  });

  async function must(at: number, method: string, path: string, body?: unknown): Promise<VaultReply> {
    const reply = await nodes[at]!.call(method, path, body, secrets.root);
    expect([path, reply.status, reply.errors]).toEqual([path, expect.toBeOneOf([200, 204]), []]);
    return reply;
  }

  test('one after the other is killed under way, and to clients all that is answered fits one server', async () => {
    await must(0, 'POST', 'sys/mounts/pki', { type: 'pki' });
    await must(1, 'POST', 'pki/root/generate/internal', { common_name: 'root', key_type: 'ec', ttl: '700h' });
    await must(2, 'POST', 'pki/roles/any', { allow_any_name: true, key_type: 'any', ttl: '1h' });
    await must(0, 'PUT', 'sys/policies/acl/look', {
      policy: 'path "pki/roles/any" { capabilities = ["read"] }',
    });

    const stop = new AbortController();
    const history: Operation[] = [];
    const world: World = { history, addresses: nodes.map(({ address }) => address), root: secrets.root, csr };
    const working = Promise.all(Array.from({ length: clients }, (_, n) => work(world, n, stop.signal)));
    try {
      for (let n = 0; n < kills; n++) await killOne(n % nodes.length);
    } finally {
      stop.abort();
    }
    await working;

    const final = await finalState();
    expect(contradictions(history, final, usesPerToken)).toEqual([]);
    // Enough was done, of every kind.
    for (const kind of ['sign', 'use', 'revoke', 'read', 'crl', 'end-token'] as const) {
      expect([
        kind,
        history.filter((one) => one.kind === kind && one.outcome === 'done').length > 20,
      ]).toEqual([kind, true]);
    }
    expect(history.filter(({ outcome }) => outcome === 'refused').length).toBeGreaterThan(5);
  });

  /** In the middle of its work; it comes back where it was. */
  async function killOne(at: number): Promise<void> {
    await pause(killEveryMs);
    const { port } = new URL(nodes[at]!.address);
    await nodes[at]!.kill();
    nodes[at] = await startNode(database, join(folder.path, `${at}`), Number(port));
    await unseal(nodes[at], secrets);
    // From here on all nodes write with a key that two of them have not seen yet.
    await must(at, 'POST', 'sys/rotate');
  }

  async function finalState(): Promise<FinalState> {
    await must(0, 'GET', 'pki/crl/rotate');
    const crl = readCrl(derOf((await nodes[1]!.call('GET', 'pki/crl/pem')).text));
    const { data } = await must(2, 'LIST', 'pki/certs');
    return {
      issued: new Set(data.keys as string[]),
      revoked: new Set(crl.revoked.map(({ serial }) => serialText(serial))),
      crlNumber: Number(crl.number),
    };
  }
});

interface World {
  history: Operation[];
  addresses: readonly string[];
  root: string;
  csr: string;
}

function derOf(pem: string): Buffer {
  return Buffer.from(pem.replaceAll(/-----.*-----/g, ''), 'base64');
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}

/** One client: does this and that at whichever server comes next, until it is told to stop. */
async function work(world: World, client: number, signal: AbortSignal): Promise<void> {
  const { history, addresses, root, csr } = world;
  let turn = client;

  async function ask(
    kind: Operation['kind'],
    subject: string,
    [method, path, body]: [string, string, unknown?],
    token = root,
  ): Promise<{ operation: Operation; reply: VaultReply | undefined }> {
    const start = performance.now();
    let reply: VaultReply | undefined;
    try {
      reply = await callVault(addresses[turn++ % addresses.length]!, { method, path, body, token });
    } catch {
      // The server was killed: whether it did what was asked, nobody knows.
      await pause(20);
    }
    const end = performance.now();
    const status = reply?.status ?? 500;
    const outcome = status >= 500 ? 'unknown' : status < 300 ? 'done' : 'refused';
    const operation: Operation = { kind, subject, start, end, outcome };
    history.push(operation);
    return { operation, reply };
  }

  async function sign(path: string): Promise<string | undefined> {
    const { operation, reply } = await ask('sign', '', [
      'POST',
      path,
      { csr, common_name: `c-${client}.example` },
    ]);
    if (operation.outcome !== 'done') return undefined;
    operation.subject = reply!.data.serial_number as string;
    return operation.subject;
  }

  async function revokeAndRead(serial: string): Promise<void> {
    const read = async () => {
      const { operation, reply } = await ask('read', serial, ['GET', `pki/cert/${serial}`], '');
      if (operation.outcome === 'done') operation.seen = reply!.data.revocation_time ? 'revoked' : 'good';
    };
    await Promise.all([
      read(),
      ask('revoke', serial, ['POST', 'pki/revoke', { serial_number: serial }]),
      read(),
    ]);
    await read();
    await read();
  }

  async function fetchCrl(): Promise<void> {
    const { operation, reply } = await ask('crl', '', ['GET', 'pki/crl/pem'], '');
    if (operation.outcome !== 'done') return;
    operation.subject = String(readCrl(derOf(reply!.text)).number);
    operation.seen = reply!.text;
  }

  async function useToken(ended: boolean): Promise<void> {
    const body = {
      policies: ['look'],
      no_default_policy: true,
      ...(ended ? {} : { num_uses: usesPerToken }),
    };
    const made = await callVault(addresses[turn++ % addresses.length]!, {
      ...{ method: 'POST', path: 'auth/token/create', body, token: root },
    }).catch(() => undefined);
    const token = made?.auth.client_token as string | undefined;
    if (token === undefined) return;
    const use = () => ask('use', token, ['GET', 'pki/roles/any'], token);
    if (ended) {
      await Promise.all([use(), ask('end-token', token, ['POST', 'auth/token/revoke', { token }]), use()]);
      await Promise.all([use(), use()]);
      return;
    }
    // At all servers at once, and more than it has.
    for (let round = 0; round < 2; round++) await Promise.all([use(), use(), use()]);
  }

  while (!signal.aborted) {
    const serial = await sign(turn % 3 === 0 ? 'pki/root/sign-intermediate' : 'pki/sign/any');
    if (client % 4 === 0) await useToken(false);
    if (client % 4 === 1) await useToken(true);
    if (client % 4 === 2 && serial !== undefined) await revokeAndRead(serial);
    if (client % 8 === 3) await fetchCrl();
  }
}
