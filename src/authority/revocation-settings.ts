import { formatDuration, hourMs, minuteMs } from '../base/duration.ts';
import type { Holdings } from './holdings.ts';
import type { Ledger } from './ledger.ts';
import { refused } from './refused.ts';

/** A duration as it was given, in which form it is told again. */
export interface GivenDuration {
  text: string;
  ms: number;
}

/** How revocation is told. */
export interface RevocationSettings {
  /** How long a CRL is good for. */
  expiry: GivenDuration;
  /** CRLs are empty then. */
  disable: boolean;
  ocspDisable: boolean;
  /** How long an OCSP answer is good for; 0 for no end, which clients take for "fetch it each time". */
  ocspExpiry: GivenDuration;
  /** A complete CRL is made only when the last one is near its end, not at once when something was revoked. */
  autoRebuild: boolean;
  autoRebuildGracePeriod: GivenDuration;
  enableDelta: boolean;
  deltaRebuildInterval: GivenDuration;
  allowExpiredCertRevocation: boolean;
}

/** Vault's. */
export const defaultRevocationSettings: RevocationSettings = {
  expiry: { text: '72h', ms: 72 * hourMs },
  disable: false,
  ocspDisable: false,
  ocspExpiry: { text: '12h', ms: 12 * hourMs },
  autoRebuild: false,
  autoRebuildGracePeriod: { text: '12h', ms: 12 * hourMs },
  enableDelta: false,
  deltaRebuildInterval: { text: '15m', ms: 15 * minuteMs },
  allowExpiredCertRevocation: false,
};

export function revocationSettings({ settings }: Holdings): RevocationSettings {
  return settings.revocation ?? defaultRevocationSettings;
}

/** @throws Fault `authority.revocation.settings` */
export async function changeRevocationSettings(
  ledger: Ledger,
  change: Partial<RevocationSettings>,
): Promise<RevocationSettings> {
  const result = await ledger.decideAndCommit(async (from) => {
    const revocation = { ...revocationSettings(from), ...change };
    checkSettings(revocation);
    const batch = {
      expect: [ledger.settingsAsIn(from)],
      puts: [ledger.putSettings({ ...from.settings, revocation })],
    };
    return { batch, result: revocation };
  });
  await ledger.reload();
  return result;
}

/** In Vault's words. */
function checkSettings(settings: RevocationSettings): void {
  const { expiry, ocspExpiry, autoRebuild, autoRebuildGracePeriod, enableDelta, deltaRebuildInterval } =
    settings;
  if (expiry.ms <= 0) throw unfit(`expiry must be greater than 0 got: ${formatDuration(expiry.ms)}`);
  if (ocspExpiry.ms < 0) {
    throw unfit(`ocsp_expiry must be greater than or equal to 0 got: ${formatDuration(ocspExpiry.ms)}`);
  }
  if (autoRebuild && autoRebuildGracePeriod.ms >= expiry.ms) {
    throw unfit(
      `CRL auto-rebuilding grace period (${autoRebuildGracePeriod.text}) must be strictly shorter than CRL expiry ` +
        `(${expiry.text}) value when auto-rebuilding of CRLs is enabled`,
    );
  }
  if (enableDelta && deltaRebuildInterval.ms >= expiry.ms) {
    throw unfit(
      `CRL delta rebuild window (${deltaRebuildInterval.text}) must be strictly shorter than CRL expiry ` +
        `(${expiry.text}) value when delta CRLs are enabled`,
    );
  }
  if (enableDelta && !autoRebuild) {
    throw unfit(
      'Delta CRLs cannot be enabled when auto rebuilding is disabled as the complete CRL is always regenerated!',
    );
  }
}

function unfit(message: string) {
  return refused('revocation.settings', message);
}
