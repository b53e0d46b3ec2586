import type { Cancel, Clock } from '../../base/clock.ts';
import { minuteMs } from '../../base/duration.ts';
import type { Entropy } from '../../base/entropy.ts';
import { describeError, Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import type { AutoSeal } from './auto-seal.ts';
import { sameSecret } from './key-shares.ts';

const healthyIntervalMs = 10 * minuteMs;
const unhealthyIntervalMs = minuteMs;
const probe = 'seal/probe';

export interface SealWatch {
  /** Since when it does not work, as far as was seen (epoch milliseconds); undefined where it does. */
  unhealthySinceMs(): number | undefined;
  stop(): void;
}

/**
 * Looks every ten minutes, and every minute while it fails, whether the seal would still open what it locks: a server
 * that is unsealed does not need it, and finds out too late that the next start will.
 */
export function watchSeal(
  seal: AutoSeal,
  { clock, entropy, log }: { clock: Clock; entropy: Entropy; log: Log },
): SealWatch {
  let since: number | undefined;
  let cancel: Cancel = () => {};
  let ended = false;
  const wait = () => {
    if (ended) return;
    cancel = clock.after(since === undefined ? healthyIntervalMs : unhealthyIntervalMs, () => void look());
  };
  const look = async () => {
    try {
      await tryOut();
      if (since !== undefined)
        log.info('the seal works again', { seal: seal.type, afterMs: clock.now() - since });
      since = undefined;
    } catch (error) {
      since ??= clock.now();
      log.warn('the seal does not work: a restart would leave this server sealed', {
        seal: seal.type,
        error: describeError(error),
      });
    }
    wait();
  };
  const tryOut = async () => {
    const secret = entropy.bytes(16);
    const back = await seal.unlock(probe, await seal.lock(probe, secret));
    if (sameSecret(secret, back)) return;
    throw new Fault('it gives back something else than it was given', {
      code: 'vault.seal.away',
      blame: 'peer',
    });
  };
  wait();
  return {
    unhealthySinceMs: () => since,
    stop() {
      ended = true;
      cancel();
    },
  };
}
