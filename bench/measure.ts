import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** The middle of an odd number of values, the mean of the two in the middle of an even one. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** Resident memory of a process, in MB (10^6 bytes), as Linux accounts it. */
export function residentMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return (Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)![1]) * 1024) / 1e6;
}

/** Runs `act` with `width` calls in flight until `windowMs` have passed; answers calls per second. */
export async function throughput(
  act: () => Promise<unknown>,
  width: number,
  windowMs: number,
): Promise<number> {
  const startMs = performance.now();
  let count = 0;
  const lane = async () => {
    while (performance.now() - startMs < windowMs) {
      await act();
      count++;
    }
  };
  await Promise.all(Array.from({ length: width }, lane));
  return (count * 1_000) / (performance.now() - startMs);
}

export interface OpensslSpeed {
  signPerSecond: number;
  verifyPerSecond: number;
  /** What one core can do at most of "verify the request, sign the certificate". */
  verifyAndSignPerSecond: number;
}

/** `openssl speed` for ECDSA P-256 on one core, in this same run; undefined where there is no openssl. */
export function opensslSpeed(seconds = 2): OpensslSpeed | undefined {
  const { status, stdout } = spawnSync('openssl', ['speed', '-seconds', String(seconds), 'ecdsap256'], {
    encoding: 'utf8',
  });
  const rates = /ecdsa \(nistp256\)\s+\S+\s+\S+\s+([\d.]+)\s+([\d.]+)/.exec(stdout ?? '');
  if (status !== 0 || !rates) return undefined;
  const [signPerSecond, verifyPerSecond] = [Number(rates[1]), Number(rates[2])];
  return {
    signPerSecond,
    verifyPerSecond,
    verifyAndSignPerSecond: 1 / (1 / signPerSecond + 1 / verifyPerSecond),
  };
}

export function print(name: string, value: string): void {
  console.log(`${name.padEnd(46)} ${value}`);
}
