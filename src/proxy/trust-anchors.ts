import { type Clock, sleep } from '../base/clock.ts';
import { describeError, Fault } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { type Certificate, readCertificates } from '../x509/certificate.ts';
import { formatName } from '../x509/name.ts';

/** The roots that peers are judged by, replaced while connections go on. */
export interface TrustAnchors {
  current(): readonly Certificate[];
  /** Told after each change. */
  onChange(listener: () => void): void;
}

/** @throws Fault `proxy.anchors` where `pem` holds no certificates or cannot be read */
export function readTrustAnchors(pem: string, source: string): readonly Certificate[] {
  let anchors: readonly Certificate[];
  try {
    anchors = readCertificates(pem);
  } catch (error) {
    throw unusable(`the trust anchors in ${source} cannot be read: ${describeError(error)}`, error);
  }
  if (anchors.length === 0) throw unusable(`${source} holds no trust anchors`);
  return anchors;
}

function unusable(message: string, cause?: unknown): Fault {
  return new Fault(message, {
    code: 'proxy.anchors',
    blame: 'operator',
    fix: 'give it PEM certificates',
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Anchors that never change, from PEM text. */
export function fixedTrustAnchors(pem: string): TrustAnchors {
  const anchors = readTrustAnchors(pem, 'the PEM text');
  return { current: () => anchors, onChange: () => {} };
}

export interface FollowedTrustAnchorsOptions {
  /** How messages call the source: a path. */
  source: string;
  /** The PEM text as it is now. */
  read(): Promise<string>;
  /** Paces the looks at the source: real time, since files change in real time. */
  pace: Clock;
  everyMs: number;
  log: Log;
  signal: AbortSignal;
  onReloaded?(anchors: readonly Certificate[]): void;
}

/**
 * Anchors that are read again every `everyMs`. What cannot be read or holds no certificate changes nothing: the
 * last good ones stay. Upstream's proxies take theirs from the environment once, and must be restarted.
 *
 * @throws Fault `proxy.anchors` where the first reading fails
 */
export async function followTrustAnchors(options: FollowedTrustAnchorsOptions): Promise<TrustAnchors> {
  const { source, pace, everyMs, log, signal } = options;
  let text = await options.read().catch((error: unknown) => {
    throw unusable(`${source} cannot be read: ${describeError(error)}`, error);
  });
  let anchors = readTrustAnchors(text, source);
  let refused: string | undefined;
  const listeners = new Set<() => void>();

  async function look(): Promise<void> {
    const next = await options.read();
    if (next === text || next === refused) return;
    refused = next;
    anchors = readTrustAnchors(next, source);
    [text, refused] = [next, undefined];
    log.info('trust anchors reloaded', { anchors: anchors.map(({ subject }) => formatName(subject)) });
    options.onReloaded?.(anchors);
    for (const listener of listeners) listener();
  }

  async function follow(): Promise<void> {
    for (;;) {
      await sleep(pace, everyMs, signal);
      if (signal.aborted) return;
      try {
        await look();
      } catch (error) {
        log.warn('trust anchors kept as they were', { reason: describeError(error) });
      }
    }
  }
  void follow();
  return { current: () => anchors, onChange: (listener) => void listeners.add(listener) };
}
