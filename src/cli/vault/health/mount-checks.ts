import { formatDuration, parseDuration, secondMs } from '../../../base/duration.ts';
import { texts } from '../pki-issuer.ts';
import { NumberText, type Value } from '../value.ts';
import { defineCheck, denied, type Finding, type HealthCheck, type Status, tooOld } from './check.ts';
import type { MountFacts } from './mount-facts.ts';

/** Parameters that are no secrets, and that an audit log is the better for showing. */
const visible = {
  audit_non_hmac_request_keys: [
    ...['csr', 'certificate', 'issuer_ref', 'common_name', 'alt_names', 'other_sans', 'ip_sans', 'uri_sans'],
    ...['ttl', 'not_after', 'serial_number', 'key_type', 'private_key_format', 'managed_key_name'],
    ...['managed_key_id', 'ou', 'organization', 'country', 'locality', 'province', 'street_address'],
    ...['postal_code', 'permitted_dns_domains', 'policy_identifiers', 'ext_key_usage_oids'],
  ],
  audit_non_hmac_response_keys: ['certificate', 'issuing_ca', 'serial_number', 'error', 'ca_chain'],
} as const;

const secrets = ['private_key', 'pem_bundle'];

const auditVisibility = defineCheck('audit_visibility', {
  defaults: { ignored_parameters: [] },
  settings: (given) => given.texts('ignored_parameters'),
  look: (mount, ignored) =>
    withTune(mount, (endpoint, data) => {
      const settings = Object.entries(visible);
      const hidden = settings.flatMap(([setting, wanted]) =>
        wanted
          .filter((name) => !ignored.includes(name) && !texts(data[setting]).includes(name))
          .map(
            (name): Finding => ({
              status: 'informational',
              endpoint,
              message: `Audit logs hide ${name}, which is no secret: add it to ${setting} to see it there.`,
            }),
          ),
      );
      const shown = settings.flatMap(([setting]) =>
        secrets
          .filter((name) => texts(data[setting]).includes(name))
          .map(
            (name): Finding => ({
              status: 'warning',
              endpoint,
              message: `Audit logs show ${name}, which is a secret: take it out of ${setting}.`,
            }),
          ),
      );
      if (hidden.length + shown.length > 0) return [...hidden, ...shown];
      return [{ status: 'ok', endpoint, message: 'Audit logs show what they should, and no secrets.' }];
    }),
});

const ifModifiedSince = defineCheck('allow_if_modified_since', {
  settings: () => undefined,
  look: (mount) =>
    withTune(mount, (endpoint, data) => {
      const passes =
        holds(data.passthrough_request_headers, 'If-Modified-Since') &&
        holds(data.allowed_response_headers, 'Last-Modified');
      if (passes) return [{ status: 'ok', endpoint, message: 'Clients can ask for what has changed alone.' }];
      const message =
        'Pass the request header If-Modified-Since and allow the response header Last-Modified, so that clients fetch ' +
        'CAs and CRLs only when they have changed.';
      return [{ status: 'informational', endpoint, message }];
    }),
});

function holds(list: Value | undefined, header: string): boolean {
  return texts(list).some((one) => one.toLowerCase() === header.toLowerCase());
}

async function withTune(
  mount: MountFacts,
  judge: (endpoint: string, data: Readonly<Record<string, Value>>) => Finding[],
): Promise<Finding[]> {
  const fact = await mount.tune();
  if (fact.state === 'unsupported') return [tooOld(fact.path)];
  return fact.state === 'denied' ? [denied(fact, mount)] : judge(fact.path, fact.data);
}

const autoTidy = defineCheck('enable_auto_tidy', {
  defaults: {
    interval_duration_critical: '7d',
    interval_duration_warning: '2d',
    pause_duration_critical: '1s',
    pause_duration_warning: '200ms',
  },
  settings: (given) =>
    (['interval_duration', 'pause_duration'] as const).map((name) => ({
      name,
      critical: given.durationMs(`${name}_critical`),
      warning: given.durationMs(`${name}_warning`),
    })),
  async look(mount, limits) {
    const { state, path: endpoint, data } = await mount.read('config/auto-tidy');
    if (state === 'unsupported') return [tooOld(endpoint)];
    if (state === 'denied') return [denied({ path: endpoint }, mount)];
    if (data.enabled !== true) {
      const message =
        'Auto-tidy is off. Turned on, it removes what has ended, which keeps the mount small and fast.';
      return [{ status: 'informational', endpoint, message }];
    }
    const long = limits.flatMap(({ name, critical, warning }): Finding[] => {
      const ms = durationMs(data[name]);
      const status = ms >= critical ? 'critical' : ms >= warning ? 'warning' : undefined;
      const message = `Auto-tidy's ${name} is ${formatDuration(ms)}: it runs too rarely, or takes too long.`;
      return status ? [{ status, endpoint, message }] : [];
    });
    if (long.length > 0) return long;
    return [{ status: 'ok', endpoint, message: 'Auto-tidy is on, and runs often enough.' }];
  },
});

function durationMs(value: Value | undefined): number {
  if (value instanceof NumberText) return Number(value.text) * secondMs;
  return typeof value === 'string' && value !== '' ? parseDuration(value) : 0;
}

const tidyLastRun = defineCheck('tidy_last_run', {
  defaults: { last_run_critical: '7d', last_run_warning: '2d' },
  settings: (given) =>
    (['critical', 'warning'] as const).map((status) => ({
      status,
      ms: given.durationMs(`last_run_${status}`),
    })),
  async look(mount, limits) {
    const { state, path: endpoint, data } = await mount.read('tidy-status');
    if (state === 'unsupported') return [tooOld(endpoint)];
    if (state === 'denied') return [denied({ path: endpoint }, mount)];
    if (state === 'absent') return [];
    const finished = typeof data.time_finished === 'string' ? Date.parse(data.time_finished) : NaN;
    if (Number.isNaN(finished)) {
      const message = 'Tidy has never run on this mount: turn auto-tidy on, or run it regularly.';
      return [{ status: 'critical', endpoint, message }];
    }
    const late = limits.find(({ ms }) => finished < mount.nowMs - ms);
    if (!late) return [{ status: 'ok', endpoint, message: 'Tidy has run lately.' }];
    const message = `Tidy has not run for ${formatDuration(late.ms)}: see to auto-tidy, or to what runs it.`;
    return [{ status: late.status, endpoint, message }];
  },
});

const tooManyCerts = defineCheck('too_many_certs', {
  defaults: { count_critical: 250_000, count_warning: 50_000 },
  settings: (given) => ({
    critical: given.whole('count_critical', 1, 15_000_000),
    warning: given.whole('count_warning', 1, 15_000_000),
  }),
  async look(mount, { critical, warning }) {
    const { state, path: endpoint, data } = await mount.list('certs');
    if (state === 'unsupported') return [tooOld(endpoint)];
    if (state === 'denied') return [denied({ path: endpoint }, mount)];
    const count = texts(data.keys).length;
    const status: Status = count >= critical ? 'critical' : count >= warning ? 'warning' : 'ok';
    const advice = 'set no_store=true on roles, let certificates be short-lived, and tidy regularly';
    const message = `${count} certificates are kept${status === 'ok' ? '' : `: ${advice}`}.`;
    return [{ status, endpoint, message }];
  },
});

const acmeIssuance = defineCheck('enable_acme_issuance', {
  settings: () => undefined,
  async look(mount) {
    const [acme, cluster] = [await mount.read('config/acme'), await mount.read('config/cluster')];
    if (acme.state === 'unsupported' || cluster.state === 'unsupported') return [tooOld(acme.path)];
    if (acme.state === 'denied') return [denied(acme, mount)];
    if (acme.data.enabled !== true) {
      const [all, roots] = [await mount.issuers(), await mount.roots()];
      if (all.length === roots.length) {
        return [
          { status: 'not_applicable', endpoint: acme.path, message: 'A mount of roots alone needs no ACME.' },
        ];
      }
      const message = 'With ACME clients could renew their certificates by themselves.';
      return [{ status: 'informational', endpoint: acme.path, message }];
    }
    if (cluster.state === 'denied') return [denied(cluster, mount)];
    const { path } = cluster.data;
    const endpoint = cluster.path;
    if (typeof path !== 'string' || !path.startsWith('https://')) {
      const message = 'ACME is on, and has no address to offer: set path in config/cluster to an https URL.';
      return [{ status: 'warning', endpoint, message }];
    }
    const directory = await mount.read('acme/directory');
    const works = typeof directory.data.newOrder === 'string';
    return works
      ? [{ status: 'ok', endpoint, message: 'ACME is on, and its directory answers.' }]
      : [{ status: 'warning', endpoint, message: 'ACME is on, and its directory does not answer.' }];
  },
});

const acmeHeaders = defineCheck('allow_acme_headers', {
  settings: () => undefined,
  async look(mount) {
    const acme = await mount.read('config/acme');
    if (acme.state === 'unsupported') return [tooOld(acme.path)];
    if (acme.state === 'denied') return [denied(acme, mount)];
    if (acme.data.enabled !== true) {
      return [
        { status: 'not_applicable', endpoint: acme.path, message: 'ACME is off, and needs no headers.' },
      ];
    }
    return withTune(mount, (endpoint, data) => {
      const wanted = ['Replay-Nonce', 'Link', 'Location'];
      const missing = wanted.filter((header) => !holds(data.allowed_response_headers, header));
      return missing.length === 0
        ? [{ status: 'ok', endpoint, message: 'The headers that ACME answers with are let through.' }]
        : [
            {
              status: 'warning',
              endpoint,
              message: `ACME needs allowed_response_headers to hold ${missing.join(', ')}.`,
            },
          ];
    });
  },
});

export const mountChecks: readonly HealthCheck[] = [
  auditVisibility,
  ifModifiedSince,
  autoTidy,
  tidyLastRun,
  tooManyCerts,
  acmeIssuance,
  acmeHeaders,
];
