import { parseDuration } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';
import { type CronSchedule, parseCron } from './cron.ts';
import type { RenewalWindow } from './kinds.ts';
import type { Lifetime } from './renewal-time.ts';

/**
 * The renewal time put into a window: the wanted time itself where a window is open then, else the next time that
 * one opens. A window that opens only after the certificate's end is no use.
 *
 * @throws Fault `certmanager.renewal.window`
 */
export function renewalInWindows(
  lifetime: Lifetime,
  wanted: number,
  windows: readonly RenewalWindow[],
): number {
  const candidates = windows.map((window) => {
    const schedule = readCron(window);
    const lastsMs = readDuration(window);
    const open = schedule.next(wanted - lastsMs, wanted) !== undefined;
    return open ? wanted : schedule.next(wanted - 1, lifetime.notAfter);
  });
  const soonest = Math.min(...candidates.filter((candidate) => candidate !== undefined));
  if (soonest === Number.POSITIVE_INFINITY) {
    throw windowFault(
      `no renewal window opens between ${new Date(wanted).toISOString()} and the certificate's end`,
      'add a window, or renew earlier',
    );
  }
  return soonest;
}

function readCron({ cron, timezone = 'UTC' }: RenewalWindow): CronSchedule {
  try {
    return parseCron(cron, timezone);
  } catch (error) {
    throw windowFault(
      `renewal window ${JSON.stringify(cron)} cannot be read: ${(error as Error).message}`,
      'write five cron fields and an IANA zone',
      error,
    );
  }
}

function readDuration({ windowDuration }: RenewalWindow): number {
  const lastsMs = parseDuration(windowDuration);
  if (lastsMs > 0) return lastsMs;
  throw windowFault('windowDuration must be positive', 'write it like 2h');
}

function windowFault(message: string, fix: string, cause?: unknown): Fault {
  return new Fault(message, { code: 'certmanager.renewal.window', blame: 'caller', fix, cause });
}
