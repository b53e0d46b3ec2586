import { parseDuration } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';
import type { CertificateSpec } from './kinds.ts';
import { renewalInWindows } from './renewal-window.ts';

export interface Lifetime {
  /** Epoch milliseconds. */
  notBefore: number;
  notAfter: number;
}

/**
 * When a certificate is to be renewed, in epoch milliseconds, whole seconds; undefined where renewal is disabled.
 *
 * That is renewBefore ahead of its real end where that lies inside its real life, else the given percentage of its
 * life, else a third of it; then put off to the next open window where there are windows (upstream's
 * pki.RenewalTime).
 *
 * @throws Fault `certmanager.renewal.window` where the windows cannot be read or never open in time
 */
export function renewalTime(lifetime: Lifetime, spec: CertificateSpec): number | undefined {
  if (spec.renewal?.policy === 'Disabled') return undefined;
  const wanted = wantedRenewalTime(lifetime, spec);
  const windows = spec.renewal?.windows ?? [];
  return windows.length === 0 ? wanted : renewalInWindows(lifetime, wanted, windows);
}

/** The same without windows: what renewal falls back to where the windows are of no use. */
export function wantedRenewalTime({ notBefore, notAfter }: Lifetime, spec: CertificateSpec): number {
  const life = notAfter - notBefore;
  const { renewBeforePercentage: percentage = 0 } = spec;
  const renewBefore = durationOr(spec.renewBefore, 0);
  const ahead =
    renewBefore > 0 && renewBefore < life
      ? renewBefore
      : percentage > 0 && percentage < 100
        ? (life * percentage) / 100
        : life / 3;
  return Math.floor((notAfter - ahead) / 1_000) * 1_000;
}

/** What cannot be read has been named to the user where the spec is judged; here it only must do no harm. */
function durationOr(text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof Fault) return fallback;
    throw error;
  }
}
