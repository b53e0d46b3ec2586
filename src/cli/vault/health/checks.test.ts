import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { dayMs, hourMs } from '../../../base/duration.ts';
import { seededEntropy } from '../../../base/entropy.ts';
import { Fault } from '../../../base/fault.ts';
import { buildCertificate, certificatePem } from '../../../x509/certificate.ts';
import { buildCrl, crlPem } from '../../../x509/crl.ts';
import { basicConstraints } from '../../../x509/extension.ts';
import { generateKey, keyIdentifier } from '../../../x509/key.ts';
import { nameOf } from '../../../x509/name.ts';
import { signerOf } from '../../../x509/signature.ts';
import type { VaultClient } from '../client.ts';
import { parseJson, type Value, type ValueObject } from '../value.ts';
import type { HealthCheck, Status } from './check.ts';
import { issuerChecks } from './issuer-checks.ts';
import { mountChecks } from './mount-checks.ts';
import { MountFacts } from './mount-facts.ts';
import { roleChecks } from './role-checks.ts';

const entropy = seededEntropy('health');
const checks = new Map(
  [...issuerChecks, ...roleChecks, ...mountChecks].map((check) => [check.name, check] as const),
);
const now = 1_000 * dayMs;

/** A server that answers `answers` by path, and to all else that it may not be read. */
function mountOf(answers: Readonly<Record<string, ValueObject>>): MountFacts {
  const client = {
    token: 'a',
    ask: ({ path }: { path: string }) => {
      const data = answers[path];
      if (!data) {
        return Promise.reject(
          new Fault('permission denied', { code: 'vault-client.refused', blame: 'caller' }),
        );
      }
      // As they come over the wire: numbers as they were written.
      return Promise.resolve({ data: parseJson(JSON.stringify(data)) });
    },
  } as unknown as VaultClient;
  return new MountFacts(client, 'pki', now);
}

async function look(name: string, mount: MountFacts, settings: ValueObject = {}) {
  const check: HealthCheck = checks.get(name)!;
  return check.prepare({ ...check.defaults, ...settings })(mount);
}

const key = generateKey({ type: 'ec', curve: 'P-256' }, entropy);
const root = nameOf({ commonName: 'root' });

async function rootEnding(notAfter: number): Promise<MountFacts> {
  const certificate = await buildCertificate(
    {
      serial: Buffer.of(1),
      issuer: root,
      subject: root,
      notBefore: 0,
      notAfter,
      publicKey: key.publicKey,
      extensions: [basicConstraints({ ca: true })],
    },
    signerOf(key),
  );
  return mountOf({
    'pki/issuers': { keys: ['r'] },
    'pki/issuer/r/json': { certificate: certificatePem(certificate) },
  });
}

test('an issuer is worse the nearer its end', async () => {
  for (const [days, status] of [
    [731, 'ok'],
    [729, 'informational'],
    [364, 'warning'],
    [179, 'critical'],
    [-1, 'critical'],
  ] as const) {
    const found = await look('ca_validity_period', await rootEnding(now + days * dayMs));
    expect(found).toMatchObject([{ status, endpoint: '/pki/issuer/r' }]);
  }
});

test('a list is critical once the share of its time that is set has gone', async () => {
  const lasting = 100 * hourMs;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 0, max: 120 }),
      fc.integer({ min: 1, max: 99 }),
      async (gone, percent) => {
        const thisUpdate = now - gone * hourMs;
        const frame = { issuer: root, number: 1, thisUpdate, nextUpdate: thisUpdate + lasting, revoked: [] };
        const authorityKeyId = keyIdentifier(key.publicKey);
        const crl = crlPem(await buildCrl({ ...frame, authorityKeyId }, signerOf(key)));
        const answers = { 'pki/issuers': { keys: ['r'] }, 'pki/issuer/r/crl': { crl } };
        for (const [disable, worst] of [
          [false, 'critical'],
          [true, 'informational'],
        ] as const) {
          const mount = mountOf({ ...answers, 'pki/config/crl': { disable } });
          const found = await look('crl_validity_period', mount, {
            crl_expiry_pct_critical: String(percent),
          });
          expect(found.map(({ status }) => status)).toEqual([gone >= percent ? worst : 'ok']);
        }
      },
    ),
    { numRuns: 60 },
  );
});

const tidied = (ms: number) => ({ time_finished: new Date(now - ms).toISOString() });

test.each<[string, string, ValueObject, Status[]]>([
  ['enable_auto_tidy', 'config/auto-tidy', { enabled: false }, ['informational']],
  [
    'enable_auto_tidy',
    'config/auto-tidy',
    { enabled: true, interval_duration: 3_600, pause_duration: '0s' },
    ['ok'],
  ],
  [
    'enable_auto_tidy',
    'config/auto-tidy',
    { enabled: true, interval_duration: 7 * 86_400, pause_duration: '200ms' },
    ['critical', 'warning'],
  ],
  ['tidy_last_run', 'tidy-status', { time_finished: null }, ['critical']],
  ['tidy_last_run', 'tidy-status', tidied(hourMs), ['ok']],
  ['tidy_last_run', 'tidy-status', tidied(3 * dayMs), ['warning']],
  ['tidy_last_run', 'tidy-status', tidied(8 * dayMs), ['critical']],
  ['too_many_certs', 'certs', { keys: ['01', '02'] }, ['ok']],
  ['allow_acme_headers', 'config/acme', { enabled: false }, ['not_applicable']],
])('%s: %s of %j is %j', async (name, path, data, expected) => {
  const found = await look(name, mountOf({ [`pki/${path}`]: data }));
  expect(found.map(({ status }) => status)).toEqual(expected);
});

test.each<[string, ValueObject, Status]>([
  ['role_allows_localhost', { allow_localhost: true, allowed_domains: ['a.example'] }, 'warning'],
  ['role_allows_localhost', { allow_localhost: true, allowed_domains: [] }, 'ok'],
  ['role_allows_localhost', { allow_localhost: false, allowed_domains: ['a.example'] }, 'ok'],
  [
    'role_allows_glob_wildcards',
    { allow_wildcard_certificates: true, allow_glob_domains: true, allowed_domains: ['*.example'] },
    'warning',
  ],
  [
    'role_allows_glob_wildcards',
    { allow_wildcard_certificates: true, allow_glob_domains: true, allowed_domains: ['a.example'] },
    'ok',
  ],
  ['role_no_store_false', { no_store: false }, 'informational'],
  ['role_no_store_false', { no_store: true }, 'ok'],
])('%s: a role of %j is %s', async (name, role, status) => {
  const answers = {
    'pki/roles': { keys: ['web'] },
    'pki/roles/web': role,
    'pki/config/crl': { auto_rebuild: true },
  };
  const found = await look(name, mountOf(answers));
  expect(found).toMatchObject([{ status, endpoint: status === 'ok' ? '/pki/roles' : '/pki/roles/web' }]);
});

test('audit logs are to show what is no secret, and to hide what is', async () => {
  const all = await look('audit_visibility', mountOf({ 'sys/mounts/pki/tune': {} }));
  expect(new Set(all.map(({ status }) => status))).toEqual(new Set(['informational']));
  const names = all.map(
    ({ message }) => /hide (\w+),.* to (\w+) to see/.exec(message)!.slice(1) as [string, string],
  );
  const tune = Object.groupBy(names, ([, setting]) => setting);
  const settings = Object.fromEntries(
    Object.entries(tune).map(([setting, pairs]): [string, Value] => [setting, pairs!.map(([name]) => name)]),
  );
  const mount = (more: ValueObject) => mountOf({ 'sys/mounts/pki/tune': { ...settings, ...more } });
  expect(await look('audit_visibility', mount({}))).toMatchObject([{ status: 'ok' }]);
  const shown = [...(settings.audit_non_hmac_request_keys as string[]), 'private_key'];
  const found = await look('audit_visibility', mount({ audit_non_hmac_request_keys: shown }));
  expect(found).toMatchObject([{ status: 'warning' }]);
});

test('what may not be seen is said, by every check, and none fails for it', async () => {
  for (const name of checks.keys()) {
    const mount = mountOf({ 'pki/issuers': { keys: ['r'] } });
    const found = await look(name, mount);
    expect(found.every(({ status }) => status === 'insufficient_permissions')).toBe(true);
  }
});

test.each<[string, ValueObject]>([
  ['too_many_certs', { count_warning: 0 }],
  ['too_many_certs', { count_warning: 'many' }],
  ['ca_validity_period', { root_expiry_warning: 'soon' }],
  ['audit_visibility', { ignored_parameters: 'ttl' }],
])('%s refuses %j', (name, settings) => {
  const check = checks.get(name)!;
  expect(() => check.prepare({ ...check.defaults, ...settings })).toThrow(`error parsing ${name}.`);
});
