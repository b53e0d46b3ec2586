import { expect, test } from 'vitest';
import { type Credential, issuance } from '../../test/support/certificates.ts';
import { dayMs, hourMs } from '../base/duration.ts';
import { certificatesSeen } from '../inventory/certificates-seen.ts';
import { readIssuerSecret, readTrustRoots } from '../inventory/identity-objects.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { capstanTrustFindings } from './capstan-trust.ts';
import type { Finding } from './finding.ts';
import { linkerdIdentityFindings } from './linkerd-identity.ts';
import { reportJson, reportText } from './render.ts';
import { checkReport } from './report.ts';

const epochMs = Date.UTC(2026, 0, 1);
const issue = issuance('check', epochMs);
const root = await issue({ commonName: 'root.linkerd.cluster.local', lifetimeMs: 365 * dayMs });
const issuer = await issue({
  commonName: 'identity.linkerd.cluster.local',
  by: root,
  ca: true,
  lifetimeMs: 90 * dayMs,
});
const otherRoot = await issue({ commonName: 'other', lifetimeMs: 365 * dayMs });

interface Mesh {
  issuer?: Credential;
  /** `ca.crt` of the Secret. */
  anchors?: readonly Credential[];
  /** Of the ConfigMap. */
  trustRoots?: readonly Credential[];
  secret?: Record<string, string> | 'absent';
  scheme?: string;
  more?: Partial<Inventory>;
}

const join = (credentials: readonly Credential[]) => credentials.map(({ pem }) => pem).join('');

function inventoryOf(mesh: Mesh = {}): Inventory {
  const { issuer: signing = issuer, anchors = [root], trustRoots = anchors, scheme } = mesh;
  const entries = mesh.secret ?? {
    'ca.crt': join(anchors),
    'tls.crt': signing.pem,
    'tls.key': signing.keyPem,
  };
  const seen = certificatesSeen();
  const secret = entries !== 'absent' && {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'linkerd-identity-issuer', namespace: 'linkerd' },
    data: Object.fromEntries(Object.entries(entries).map(([key, text]) => [key, btoa(text)])),
  };
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'linkerd-identity-trust-roots', namespace: 'linkerd' },
    data: { 'ca-bundle.crt': join(trustRoots) },
  };
  const read = {
    trustRoots: readTrustRoots(configMap, seen),
    issuer: readIssuerSecret(secret || undefined, { scheme, trustAnchorsPem: undefined }, seen),
  };
  return {
    takenAtMs: epochMs,
    controlNamespace: 'linkerd',
    certificateResources: [],
    issuerResources: [],
    bundles: [],
    endpoints: [],
    gaps: [],
    ...read,
    certificates: seen.all(),
    ...mesh.more,
  };
}

const decimal = ({ certificate }: Credential) => String(BigInt(`0x${certificate.serial.toString('hex')}`));

const failures = (findings: readonly Finding[]) =>
  findings
    .filter(({ result }) => result !== 'success')
    .map(({ id, result, error }) => ({ id, result, error }));

test('a mesh in order prints as linkerd check prints it', () => {
  expect(reportText(checkReport(inventoryOf(), epochMs + hourMs))).toBe(`linkerd-identity
----------------
√ certificate config is valid
√ trust anchors are using supported crypto algorithm
√ trust anchors are within their validity period
√ trust anchors are valid for at least 60 days
√ issuer cert is using supported crypto algorithm
√ issuer cert is within its validity period
√ issuer cert is valid for at least 60 days
√ issuer cert is issued by the trust anchor

capstan-trust
-------------
√ workloads are given trust anchors
√ trust anchors that workloads are given are within their validity period
√ issuer cert is issued by a trust anchor that workloads are given
√ trust anchors that workloads are given are those of the issuer Secret
√ bundles are synced to their targets
√ certificates are renewed in time

Status check results are √
`);
});

test('the short form says nothing of what is right', () => {
  expect(reportText(checkReport(inventoryOf(), epochMs), { short: true })).toBe(
    'Status check results are √\n',
  );
});

test("the tutorial's 48 hours bring the warning, and no failure", async () => {
  const short = await issue({ commonName: 'identity', by: root, ca: true, lifetimeMs: 48 * hourMs });
  const report = checkReport(inventoryOf({ issuer: short }), epochMs);
  expect(report).toMatchObject({ success: true, warning: true });
  expect(reportText(report, { short: true })).toBe(`linkerd-identity
----------------
‼ issuer cert is valid for at least 60 days
    issuer certificate will expire on 2026-01-03T00:00:00Z
    see https://linkerd.io/2/checks/#l5d-identity-issuer-cert-not-expiring-soon for hints

Status check results are √
`);
});

test('60 days are enough to the second', () => {
  const ids = (nowMs: number) => failures(linkerdIdentityFindings(inventoryOf(), nowMs)).map(({ id }) => id);
  expect(ids(epochMs + 30 * dayMs)).toEqual([]);
  expect(ids(epochMs + 30 * dayMs + 1)).toEqual(['l5d-identity-issuer-cert-not-expiring-soon']);
});

test('anchors that expire soon are listed by serial and name', () => {
  const [finding] = failures(
    linkerdIdentityFindings(inventoryOf({ anchors: [root, otherRoot] }), epochMs + 310 * dayMs),
  );
  expect(finding).toEqual({
    id: 'l5d-identity-trustAnchors-not-expiring-soon',
    result: 'warning',
    error: `Anchors expiring soon:\n\t* ${decimal(root)} root.linkerd.cluster.local will expire on 2027-01-01T00:00:00Z\n\t* ${decimal(otherRoot)} other will expire on 2027-01-01T00:00:00Z`,
  });
});

test('a fatal finding ends its category, and only that', () => {
  const report = checkReport(inventoryOf(), epochMs + 400 * dayMs);
  expect(report.success).toBe(false);
  const identity = report.findings.filter(({ category }) => category === 'linkerd-identity');
  expect(identity.map(({ result }) => result)).toEqual(['success', 'success', 'error']);
  expect(identity.at(-1)?.error).toBe(
    `Invalid anchors:\n\t* ${decimal(root)} root.linkerd.cluster.local not valid anymore. Expired on 2027-01-01T00:00:00Z`,
  );
  expect(report.findings.filter(({ category }) => category === 'capstan-trust')).toHaveLength(6);
});

test('an issuer before its time and after it', () => {
  const late = (nowMs: number) => failures(linkerdIdentityFindings(inventoryOf(), nowMs)).at(-1)?.error;
  expect(late(epochMs + 91 * dayMs)).toBe(
    'issuer certificate is not valid anymore. Expired on 2026-04-01T00:00:00Z',
  );
  expect(late(epochMs - 1)).toContain('not valid before: 2026-01-01T00:00:00Z');
});

test.each<[string, Mesh, string]>([
  ['no Secret', { secret: 'absent' }, 'secrets "linkerd-identity-issuer" not found'],
  [
    'no anchors in it',
    { secret: { 'tls.crt': issuer.pem, 'tls.key': issuer.keyPem } },
    'key ca.crt containing the trust anchors needs to exist in secret linkerd-identity-issuer if --identity-external-issuer=true',
  ],
  [
    'no key in it',
    { secret: { 'ca.crt': root.pem, 'tls.crt': issuer.pem } },
    'key tls.key containing the issuer key needs to exist in secret linkerd-identity-issuer if --identity-external-issuer=true',
  ],
  [
    'the other scheme without its certificate',
    { scheme: 'linkerd.io/tls', secret: { 'key.pem': issuer.keyPem } },
    'key crt.pem containing the issuer certificate needs to exist in secret linkerd-identity-issuer if --identity-external-issuer=false',
  ],
  [
    'a key of another certificate',
    { secret: { 'ca.crt': root.pem, 'tls.crt': issuer.pem, 'tls.key': root.keyPem } },
    'tls: Public and private key do not match',
  ],
  [
    'anchors that are no PEM',
    { secret: { 'ca.crt': 'nonsense', 'tls.crt': issuer.pem, 'tls.key': issuer.keyPem } },
    'not a PEM certificate',
  ],
])('%s', (_, mesh, error) => {
  const findings = linkerdIdentityFindings(inventoryOf({ ...mesh, trustRoots: [root] }), epochMs);
  expect(findings).toHaveLength(1);
  expect(findings[0]).toMatchObject({
    id: 'l5d-identity-cert-config-valid',
    result: 'error',
    error,
    hint: 'https://linkerd.io/2/checks/#l5d-identity-cert-config-valid',
  });
});

test('keys and signatures that Linkerd does not support', async () => {
  const wide = await issue({ commonName: 'wide', keySpec: { type: 'ec', curve: 'P-384' } });
  const rsa = await issue({ commonName: 'rsa', keySpec: { type: 'rsa', bits: 3_072 } });
  const edwards = await issue({ commonName: 'ed', keySpec: { type: 'ed25519' } });
  const [anchors] = failures(
    linkerdIdentityFindings(inventoryOf({ anchors: [wide, rsa, edwards, root] }), epochMs),
  );
  expect(anchors?.error?.split('\n\t')).toEqual([
    'Invalid trustAnchors:',
    `* ${decimal(wide)} wide must use P-256 curve for public key, instead P-384 was used`,
    `* ${decimal(rsa)} rsa RSA must use a 2048 or 4096 bit public key, instead 3072 bit public key was used`,
    `* ${decimal(edwards)} ed trust anchor must use ECDSA or RSA for public key algorithm, instead Ed25519 was used`,
  ]);
  const rsaIssuer = await issue({
    commonName: 'i',
    by: root,
    ca: true,
    keySpec: { type: 'rsa', bits: 2_048 },
  });
  const [found] = failures(linkerdIdentityFindings(inventoryOf({ issuer: rsaIssuer }), epochMs));
  expect(found).toMatchObject({
    id: 'l5d-identity-issuer-cert-uses-supported-crypto',
    error:
      'issuer certificate issuer certificate must use ECDSA for public key algorithm, instead RSA was used',
  });
  const signedBy384 = await issue({ commonName: 'i', by: wide, ca: true });
  const [signature] = failures(linkerdIdentityFindings(inventoryOf({ issuer: signedBy384 }), epochMs));
  expect(signature?.error).toBe(
    'issuer certificate must be signed by an ECDSA P-256 key, instead ECDSA-SHA384 was used',
  );
});

test('an issuer of another root is an error, in the words of Go', () => {
  const report = checkReport(inventoryOf({ anchors: [otherRoot] }), epochMs);
  expect(failures(report.findings.filter(({ category }) => category === 'linkerd-identity'))).toEqual([
    {
      id: 'l5d-identity-issuer-cert-issued-by-trust-anchor',
      result: 'error',
      error: 'x509: certificate signed by unknown authority',
    },
  ]);
});

test('what linkerd check calls good: the Secret is in order, but workloads are given another root', () => {
  const inventory = inventoryOf({ anchors: [root], trustRoots: [otherRoot] });
  expect(failures(linkerdIdentityFindings(inventory, epochMs))).toEqual([]);
  expect(failures(capstanTrustFindings(inventory, epochMs))).toMatchObject([
    {
      id: 'capstan-issuer-cert-issued-by-trust-roots',
      result: 'error',
      error: expect.stringContaining('unknown authority'),
    },
    {
      id: 'capstan-trust-roots-match-issuer-secret',
      result: 'warning',
      error: [
        `only in Secret linkerd-identity-issuer (ca.crt):\n\t* ${decimal(root)} root.linkerd.cluster.local`,
        `only in ConfigMap linkerd-identity-trust-roots (ca-bundle.crt):\n\t* ${decimal(otherRoot)} other`,
      ].join('\n    '),
    },
  ]);
});

test('two roots given to workloads while the root changes are worth a warning only', () => {
  const report = checkReport(inventoryOf({ anchors: [root], trustRoots: [root, otherRoot] }), epochMs);
  expect(report.success).toBe(true);
  expect(failures(report.findings).map(({ id }) => id)).toEqual(['capstan-trust-roots-match-issuer-secret']);
});

test('missed renewals and bundles out of step are errors', () => {
  const dueMs = epochMs;
  const more: Partial<Inventory> = {
    bundles: [{ name: 'roots', synced: false, message: 'Bundle source was not found', targets: [] }],
    certificateResources: [
      {
        namespace: 'linkerd',
        name: 'linkerd-identity-issuer',
        secretName: 'linkerd-identity-issuer',
        issuerRef: 'ClusterIssuer vault-issuer',
        ready: true,
        message: 'Certificate is up to date and has not expired',
        renewalTime: dueMs,
      },
    ],
  };
  const ids = (nowMs: number) =>
    failures(capstanTrustFindings(inventoryOf({ more }), nowMs)).map(({ id, result }) => [id, result]);
  expect(ids(dueMs + 5 * 60_000)).toEqual([['capstan-bundles-are-synced', 'error']]);
  expect(ids(dueMs + hourMs)).toEqual([
    ['capstan-bundles-are-synced', 'error'],
    ['capstan-certificates-are-renewed', 'error'],
  ]);
});

test('JSON has the form that linkerd check gives it', () => {
  const report = checkReport(inventoryOf({ secret: 'absent', trustRoots: [root] }), epochMs);
  expect(JSON.parse(reportJson(report))).toMatchObject({
    success: false,
    categories: [
      {
        categoryName: 'linkerd-identity',
        checks: [
          {
            description: 'certificate config is valid',
            hint: 'https://linkerd.io/2/checks/#l5d-identity-cert-config-valid',
            error: 'secrets "linkerd-identity-issuer" not found',
            result: 'error',
          },
        ],
      },
      { categoryName: 'capstan-trust' },
    ],
  });
});
