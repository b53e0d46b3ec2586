import { dayMs, hourMs } from '../../base/duration.ts';
import { refused } from '../refused.ts';

/** What a tidying removes, and how long after its end. */
export interface TidyOptions {
  certStore: boolean;
  revokedCerts: boolean;
  /** Nothing that cannot be read is ever stored: there is none to remove. */
  invalidCerts: boolean;
  issuerAssociations: boolean;
  expiredIssuers: boolean;
  /** There was never another layout here: nothing to move. */
  legacyBundle: boolean;
  acme: boolean;
  safetyBufferMs: number;
  /** Undefined for the safety buffer. */
  revokedSafetyBufferMs: number | undefined;
  issuerSafetyBufferMs: number;
  acmeAccountSafetyBufferMs: number;
  /** After each certificate, on average. */
  pauseMs: number;
  pageSize: number;
}

export interface AutoTidy extends TidyOptions {
  enabled: boolean;
  intervalMs: number;
}

/** Vault's. */
export const defaultAutoTidy: AutoTidy = {
  enabled: false,
  intervalMs: 12 * hourMs,
  certStore: false,
  revokedCerts: false,
  invalidCerts: false,
  issuerAssociations: false,
  expiredIssuers: false,
  legacyBundle: false,
  acme: false,
  safetyBufferMs: 72 * hourMs,
  revokedSafetyBufferMs: undefined,
  issuerSafetyBufferMs: 365 * dayMs,
  acmeAccountSafetyBufferMs: 30 * dayMs,
  pauseMs: 0,
  pageSize: 1_000,
};

const smallestPage = 5;

/** @throws Fault `authority.tidy.options`, in Vault's words */
export function checkTidyOptions(options: TidyOptions): void {
  const buffers = {
    safety_buffer: options.safetyBufferMs,
    revoked_safety_buffer: options.revokedSafetyBufferMs ?? options.safetyBufferMs,
    issuer_safety_buffer: options.issuerSafetyBufferMs,
    acme_account_safety_buffer: options.acmeAccountSafetyBufferMs,
  };
  const short = Object.entries(buffers).find(([, ms]) => ms < 1_000);
  if (short) throw refused('tidy.options', `${short[0]} must be greater than zero`);
  if (options.pageSize > 0 && options.pageSize < smallestPage) {
    throw refused('tidy.options', 'page_size must be greater than five');
  }
}

/** @throws Fault `authority.tidy.options` */
export function checkAutoTidy(auto: AutoTidy): void {
  checkTidyOptions(auto);
  if (auto.enabled && !isAnyTidied(auto)) {
    throw refused(
      'tidy.options',
      `Auto-tidy enabled but no tidy operations were requested. Enable at least one tidy operation to be run ` +
        `(${tidyOperations}).`,
    );
  }
}

export const tidyOperations =
  'tidy_cert_store / tidy_revoked_certs / tidy_invalid_certs / tidy_revoked_cert_issuer_associations / ' +
  'tidy_expired_issuers / tidy_move_legacy_ca_bundle / tidy_acme';

export function isAnyTidied(options: TidyOptions): boolean {
  const { certStore, revokedCerts, invalidCerts, issuerAssociations, expiredIssuers, legacyBundle, acme } =
    options;
  return [
    certStore,
    revokedCerts,
    invalidCerts,
    issuerAssociations,
    expiredIssuers,
    legacyBundle,
    acme,
  ].includes(true);
}
