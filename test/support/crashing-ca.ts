import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { serialText } from '../../src/x509/certificate.ts';
import { readCrl } from '../../src/x509/crl.ts';
import { type Running, start } from './capstan.ts';
import { callVault, type VaultReply } from './vault.ts';

/** What a CA has answered, and so must still know after anything. */
export interface Acknowledged {
  /** PEM by serial, as it was answered. */
  certificates: Map<string, string>;
  /** Serials that were signed a second time, had there been any. */
  repeated: string[];
  revoked: Set<string>;
  crlNumbers: bigint[];
  /** Uses of the counted token that were answered. */
  uses: number;
  requestIds: string[];
}

export const nothingYet = (): Acknowledged => ({
  certificates: new Map(),
  repeated: [],
  revoked: new Set(),
  crlNumbers: [],
  uses: 0,
  requestIds: [],
});

/** Requests that the counted token is good for, its own look at itself included. */
export const countedUses = 6;
const rootToken = 'crash-root';
const countedToken = 'crash-counted';

/** A CA in a process of its own, over a folder that outlives it. */
export interface CrashingCa {
  running: Running;
  call: (method: string, path: string, body?: unknown, token?: string) => Promise<VaultReply>;
  /** Ends it, and whatever it runs under. */
  end: (signal: 'SIGTERM' | 'SIGKILL') => Promise<void>;
}

/** Rejects where it ends before it listens. `under` is put before its command. */
export async function startCa(folder: string, under: readonly string[] = []): Promise<CrashingCa> {
  const flags = [`-data=${folder}`, `-dev-root-token-id=${rootToken}`, '-dev-listen-address=127.0.0.1:0'];
  // One thread for files, so that calls are counted in one order.
  const running = start(['vault', 'server', '-dev', ...flags], {
    under,
    cwd: folder,
    env: { UV_THREADPOOL_SIZE: '1' },
  });
  const [, address] = await running.printed(/Api Address: (\S+)/);
  return {
    running,
    call: (method, path, body, token = rootToken) => callVault(address!, { method, path, body, token }),
    async end(signal) {
      // A tracer that is ended leaves what it traces running.
      const traced = under.length > 0 ? childrenOf(running.pid) : [running.pid];
      for (const pid of traced) process.kill(pid, signal);
      await running.finished;
    },
  };
}

function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return text.trim().split(' ').filter(Boolean).map(Number);
  } catch {
    // It has ended already.
    return [];
  }
}

/** A root, a role, a counted token and an audit log; all before anything is made to fail. */
export async function prepareCa(folder: string): Promise<void> {
  mkdirSync(folder);
  const { end, call } = await startCa(folder);
  const done = async (method: string, path: string, body: unknown): Promise<void> => {
    const { status, errors } = await call(method, path, body);
    if (status >= 300) throw new Error(`${path}: ${status} ${errors.join()}`);
  };
  await done('POST', 'sys/mounts/pki', { type: 'pki' });
  await done('POST', 'pki/root/generate/internal', { common_name: 'r', key_type: 'ec', ttl: '700h' });
  await done('POST', 'pki/roles/r', { allow_any_name: true, key_type: 'ec', ttl: '1h' });
  await done('POST', 'auth/token/create', { id: countedToken, policies: ['default'], num_uses: countedUses });
  await done('POST', 'sys/audit/log', { type: 'file', options: { file_path: 'audit.log' } });
  await end('SIGTERM');
}

/** Issues, revokes, rotates and counts until something is not answered, or `rounds` are over. */
export async function work(ca: CrashingCa, rounds: number, known: Acknowledged): Promise<void> {
  const asked = async (method: string, path: string, body?: unknown, token?: string) => {
    const reply = await ca.call(method, path, body, token);
    const id = reply.body.request_id;
    if (typeof id === 'string' && id !== '') known.requestIds.push(id);
    return reply;
  };
  try {
    for (let round = 0; round < rounds; round++) {
      const { status, data } = await asked('POST', 'pki/issue/r', { common_name: `n${round}.example` });
      const serial = data.serial_number as string;
      if (status === 200) {
        if (known.certificates.has(serial)) known.repeated.push(serial);
        known.certificates.set(serial, data.certificate as string);
        if (round % 3 === 0) {
          const revoked = await asked('POST', 'pki/revoke', { serial_number: serial });
          if (revoked.status === 200) known.revoked.add(serial);
        }
      }
      if (round % 4 === 1) await asked('GET', 'pki/crl/rotate');
      if (round % 4 === 2) known.crlNumbers.push(...(await crlNumber(ca)));
      if (round % 5 === 0) {
        const used = await asked('GET', 'auth/token/lookup-self', undefined, countedToken);
        if (used.status === 200) known.uses += 1;
      }
    }
  } catch (error) {
    // The connection broke: whether the last request was done is unknown, and nothing was promised.
    if (!(error instanceof TypeError)) throw error;
  }
}

async function crlNumber(ca: CrashingCa): Promise<bigint[]> {
  const { status, crl } = await fetchCrl(ca);
  return status === 200 ? [BigInt(crl!.number ?? -1)] : [];
}

async function fetchCrl(ca: CrashingCa) {
  const { status, data } = await ca.call('GET', 'pki/cert/crl', undefined, '');
  if (status !== 200) return { status, crl: undefined };
  const pem = data.certificate as string;
  const der = Buffer.from(pem.replaceAll(/-----.*?-----|\s/g, ''), 'base64');
  return { status, crl: readCrl(der) };
}

/** What of `known` a CA over the same folder, which nothing disturbs, no longer knows; empty where all is well. */
export async function losses(folder: string, known: Acknowledged): Promise<string[]> {
  const lost: string[] = known.repeated.map((serial) => `serial ${serial} was given twice`);
  const ca = await startCa(folder);
  try {
    for (const [serial, pem] of known.certificates) {
      const { status, data } = await ca.call('GET', `pki/cert/${serial}`);
      const same = status === 200 && der(data.certificate as string).equals(der(pem));
      if (!same) lost.push(`certificate ${serial}: ${status}`);
      const revoked = (data.revocation_time as number) > 0;
      if (known.revoked.has(serial) && !revoked) lost.push(`revocation of ${serial}`);
    }
    const { crl } = await fetchCrl(ca);
    const listed = new Set(crl!.revoked.map((entry) => serialText(entry.serial)));
    for (const serial of known.revoked) {
      if (!listed.has(serial)) lost.push(`${serial} is not on the CRL`);
    }
    const numbers = [...known.crlNumbers, BigInt(crl!.number ?? -1)];
    if (numbers.some((number, at) => at > 0 && number < numbers[at - 1]!))
      lost.push(`CRL numbers fell: ${numbers.join()}`);
    let uses = known.uses;
    for (let more = 0; more <= countedUses; more++) {
      const { status } = await ca.call('GET', 'auth/token/lookup-self', undefined, countedToken);
      if (status === 200) uses += 1;
    }
    if (uses > countedUses) lost.push(`${uses} uses of a token that was good for ${countedUses}`);
    lost.push(...unloggedAnswers(folder, known));
  } finally {
    await ca.end('SIGTERM');
  }
  return lost;
}

function der(pem: string): Buffer {
  return new X509Certificate(pem).raw;
}

function unloggedAnswers(folder: string, { requestIds }: Acknowledged): string[] {
  const log = join(folder, 'audit.log');
  const lines = existsSync(log) ? readFileSync(log, 'utf8').split('\n') : [];
  const answered = new Set<string>();
  const broken: string[] = [];
  for (const line of lines.filter(Boolean)) {
    try {
      const entry = JSON.parse(line) as { type: string; request: { id: string } };
      if (entry.type === 'response') answered.add(entry.request.id);
    } catch {
      broken.push(line);
    }
  }
  // A line that was being written when the process was killed may be cut short; what comes after it must not be.
  const lost = requestIds
    .filter((id) => !answered.has(id))
    .map((id) => `answer ${id} is not in the audit log`);
  return broken.length > 1 ? [...lost, `${broken.length} broken lines in the audit log`] : lost;
}
