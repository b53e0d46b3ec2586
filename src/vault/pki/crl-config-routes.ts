import type { Authority } from '../../authority/authority.ts';
import type { GivenDuration, RevocationSettings } from '../../authority/revocation-settings.ts';
import { describeError } from '../../base/fault.ts';
import { invalidRequest } from '../faults.ts';
import { durationMs } from '../routing/coerce.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';

const fields = {
  expiry: 'text',
  disable: 'boolean',
  ocsp_disable: 'boolean',
  ocsp_expiry: 'text',
  auto_rebuild: 'boolean',
  auto_rebuild_grace_period: 'text',
  enable_delta: 'boolean',
  delta_rebuild_interval: 'text',
  allow_expired_cert_revocation: 'boolean',
  cross_cluster_revocation: 'boolean',
  unified_crl: 'boolean',
  unified_crl_on_existing_paths: 'boolean',
} as const satisfies FieldTable;

type Given = FieldValues<typeof fields>;

export const crlConfigRoutes: readonly Route<Authority>[] = [
  defineRoute('config/crl', {
    fields,
    on: {
      read: (authority) => describe(authority.revocations.settings()),
      update: async (authority, { fields: given }) => {
        refuseUnified(given);
        return describe(await authority.revocations.setSettings(changeOf(given)));
      },
    },
  }),
];

/** What joins the lists of several clusters: this is one cluster, however many nodes it has. */
function refuseUnified(given: Given): void {
  const unified = (
    ['cross_cluster_revocation', 'unified_crl', 'unified_crl_on_existing_paths'] as const
  ).find((name) => given[name]);
  if (unified)
    throw invalidRequest(`${unified} is not supported: nodes of one cluster share their lists anyway`);
}

function changeOf(given: Given): Partial<RevocationSettings> {
  const durations = {
    expiry: duration('expiry', given),
    ocspExpiry: duration('ocsp_expiry', given),
    autoRebuildGracePeriod: duration('auto_rebuild_grace_period', given),
    deltaRebuildInterval: duration('delta_rebuild_interval', given),
  };
  const switches = {
    disable: given.disable,
    ocspDisable: given.ocsp_disable,
    autoRebuild: given.auto_rebuild,
    enableDelta: given.enable_delta,
    allowExpiredCertRevocation: given.allow_expired_cert_revocation,
  };
  const said = Object.entries({ ...durations, ...switches }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(said) as Partial<RevocationSettings>;
}

type DurationName = 'expiry' | 'ocsp_expiry' | 'auto_rebuild_grace_period' | 'delta_rebuild_interval';

function duration(name: DurationName, given: Given): GivenDuration | undefined {
  const text = given[name];
  if (text === undefined) return undefined;
  try {
    return { text, ms: Math.trunc(durationMs(text) / 1_000) * 1_000 };
  } catch (error) {
    throw invalidRequest(`given ${name} could not be decoded: ${describeError(error)}`, error);
  }
}

function describe(settings: RevocationSettings): Answer {
  return {
    data: {
      allow_expired_cert_revocation: settings.allowExpiredCertRevocation,
      auto_rebuild: settings.autoRebuild,
      auto_rebuild_grace_period: settings.autoRebuildGracePeriod.text,
      cross_cluster_revocation: false,
      delta_rebuild_interval: settings.deltaRebuildInterval.text,
      disable: settings.disable,
      enable_delta: settings.enableDelta,
      expiry: settings.expiry.text,
      ocsp_disable: settings.ocspDisable,
      ocsp_expiry: settings.ocspExpiry.text,
      unified_crl: false,
      unified_crl_on_existing_paths: false,
    },
  };
}
