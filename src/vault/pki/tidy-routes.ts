import type { Tidier } from '../../authority/tidy/tidier.ts';
import {
  type AutoTidy,
  defaultAutoTidy,
  isAnyTidied,
  type TidyOptions,
  tidyOperations,
} from '../../authority/tidy/tidy-options.ts';
import type { TidyRecord } from '../../authority/tidy/tidy-record.ts';
import { formatDuration } from '../../base/duration.ts';
import { describeError } from '../../base/fault.ts';
import { invalidRequest } from '../faults.ts';
import { formatInstant } from '../instant.ts';
import { durationMs } from '../routing/coerce.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';

const tidyFields = {
  tidy_cert_store: 'boolean',
  tidy_revocation_list: 'boolean',
  tidy_revoked_certs: 'boolean',
  tidy_invalid_certs: 'boolean',
  tidy_revoked_cert_issuer_associations: 'boolean',
  tidy_expired_issuers: 'boolean',
  tidy_move_legacy_ca_bundle: 'boolean',
  tidy_acme: 'boolean',
  safety_buffer: 'duration',
  revoked_safety_buffer: 'duration',
  issuer_safety_buffer: 'duration',
  acme_account_safety_buffer: 'duration',
  pause_duration: 'text',
  page_size: 'integer',
} as const satisfies FieldTable;

const autoFields = {
  ...tidyFields,
  enabled: 'boolean',
  interval_duration: 'duration',
  maintain_stored_certificate_counts: 'boolean',
  publish_stored_certificate_count_metrics: 'boolean',
} as const satisfies FieldTable;

type Given = FieldValues<typeof tidyFields>;

export const tidyRoutes: readonly Route<Tidier>[] = [
  defineRoute('tidy', {
    fields: tidyFields,
    on: { update: (tidier, { fields }) => start(tidier, optionsOf(defaultAutoTidy, fields)) },
  }),
  defineRoute('tidy-cancel', {
    fields: noFields,
    on: {
      update: async (tidier) => {
        if (await tidier.cancel()) return status(await tidier.last());
        return { warnings: ['Tidy operation cannot be cancelled as none is currently running.'] };
      },
    },
  }),
  defineRoute('tidy-status', {
    fields: noFields,
    on: { read: async (tidier) => status(await tidier.last()) },
  }),
  defineRoute('config/auto-tidy', {
    fields: autoFields,
    on: {
      read: async (tidier) => describeAuto(await tidier.auto()),
      update: (tidier, { fields }) => setAuto(tidier, fields),
    },
  }),
];

async function start(tidier: Tidier, options: TidyOptions): Promise<Answer> {
  if (!(await tidier.start(options))) return { warnings: ['Tidy operation already in progress.'] };
  const warning = isAnyTidied(options)
    ? 'Tidy operation successfully started. Any information from the operation will be told by tidy-status.'
    : 'Manual tidy requested but no tidy operations were set. Enable at least one tidy operation to be run ' +
      `(${tidyOperations}).`;
  return { status: 202, warnings: [warning] };
}

/** What is given, over what was. */
function optionsOf<T extends TidyOptions>(before: T, given: Given): T {
  const change: { [Name in keyof TidyOptions]: TidyOptions[Name] | undefined } = {
    certStore: given.tidy_cert_store,
    revokedCerts: given.tidy_revoked_certs ?? given.tidy_revocation_list,
    invalidCerts: given.tidy_invalid_certs,
    issuerAssociations: given.tidy_revoked_cert_issuer_associations,
    expiredIssuers: given.tidy_expired_issuers,
    legacyBundle: given.tidy_move_legacy_ca_bundle,
    acme: given.tidy_acme,
    safetyBufferMs: given.safety_buffer,
    revokedSafetyBufferMs: given.revoked_safety_buffer,
    issuerSafetyBufferMs: given.issuer_safety_buffer,
    acmeAccountSafetyBufferMs: given.acme_account_safety_buffer,
    pauseMs: pause(given.pause_duration),
    pageSize: given.page_size,
  };
  const said = Object.entries(change).filter(([, value]) => value !== undefined);
  return { ...before, ...(Object.fromEntries(said) as Partial<TidyOptions>) };
}

function pause(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  let ms: number;
  try {
    ms = durationMs(text);
  } catch (error) {
    throw invalidRequest(`Error parsing pause_duration: ${describeError(error)}`, error);
  }
  if (ms < 0) throw invalidRequest('received invalid, negative pause_duration');
  return ms;
}

async function setAuto(tidier: Tidier, given: FieldValues<typeof autoFields>): Promise<Answer> {
  if (given.maintain_stored_certificate_counts || given.publish_stored_certificate_count_metrics) {
    throw invalidRequest('stored certificates are not counted: leave maintain_stored_certificate_counts out');
  }
  if (given.page_size !== undefined && given.page_size < 5)
    throw invalidRequest('page_size must be at least 5');
  for (const name of [
    'safety_buffer',
    'revoked_safety_buffer',
    'issuer_safety_buffer',
    'acme_account_safety_buffer',
  ] as const) {
    if (given[name] === 0) throw invalidRequest(`given ${name} must be at least one second; got: 0`);
  }
  const before = await tidier.auto();
  const auto: AutoTidy = {
    ...optionsOf(before, given),
    enabled: given.enabled ?? before.enabled,
    intervalMs: given.interval_duration ?? before.intervalMs,
  };
  await tidier.setAuto(auto);
  return describeAuto(auto);
}

function describeOptions(options: TidyOptions): Record<string, unknown> {
  return {
    acme_account_safety_buffer: options.acmeAccountSafetyBufferMs / 1_000,
    issuer_safety_buffer: options.issuerSafetyBufferMs / 1_000,
    page_size: options.pageSize,
    pause_duration: formatDuration(options.pauseMs),
    revoked_safety_buffer: (options.revokedSafetyBufferMs ?? options.safetyBufferMs) / 1_000,
    safety_buffer: options.safetyBufferMs / 1_000,
    tidy_acme: options.acme,
    tidy_cert_store: options.certStore,
    tidy_expired_issuers: options.expiredIssuers,
    tidy_invalid_certs: options.invalidCerts,
    tidy_move_legacy_ca_bundle: options.legacyBundle,
    tidy_revoked_cert_issuer_associations: options.issuerAssociations,
    tidy_revoked_certs: options.revokedCerts,
  };
}

function describeAuto(auto: AutoTidy): Answer {
  return {
    data: {
      ...describeOptions(auto),
      enabled: auto.enabled,
      interval_duration: auto.intervalMs / 1_000,
      maintain_stored_certificate_counts: false,
      publish_stored_certificate_count_metrics: false,
    },
  };
}

function status(record: TidyRecord | undefined): Answer {
  const options = Object.keys(describeOptions(defaultAutoTidy)).map((name) => [name, null] as const);
  const { state = 'Inactive', counts, cursor, finishedMs, startedMs } = record ?? {};
  const under = state === 'Running' || state === 'Cancelling';
  return {
    data: {
      ...(record ? describeOptions(record.options) : Object.fromEntries(options)),
      acme_account_deleted_count: counts?.acmeAccountsDeleted ?? null,
      acme_account_revoked_count: counts?.acmeAccountsRevoked ?? null,
      acme_orders_deleted_count: counts?.acmeOrdersDeleted ?? null,
      cert_store_deleted_count: counts?.certificates ?? null,
      current_cert_store_count: null,
      current_revoked_cert_count: null,
      error: record?.error ?? null,
      ...(finishedMs === undefined ? {} : { last_auto_tidy_finished: formatInstant(finishedMs) }),
      message: cursor && under ? `Tidying ${cursor.stage}` : null,
      missing_issuer_cert_count: counts?.missingIssuers ?? null,
      revoked_cert_deleted_count: counts?.revocations ?? null,
      state,
      time_finished: finishedMs === undefined ? null : formatInstant(finishedMs),
      time_started: startedMs === undefined ? null : formatInstant(startedMs),
      total_acme_account_count: counts?.acmeAccounts ?? null,
    },
  };
}
