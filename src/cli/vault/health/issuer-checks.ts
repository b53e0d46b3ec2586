import { dayMs } from '../../../base/duration.ts';
import { Fault } from '../../../base/fault.ts';
import { isSelfSigned, isSignedBy } from '../../../x509/certificate.ts';
import { type CertificateList, readCrl } from '../../../x509/crl.ts';
import { decodePem } from '../../../x509/pem.ts';
import { texts } from '../pki-issuer.ts';
import { defineCheck, denied, type Finding, type HealthCheck, type Settings, tooOld } from './check.ts';
import { certificatesIn, type Fact, type MountFacts } from './mount-facts.ts';

const severities = ['critical', 'warning', 'informational'] as const;

function expiries(kind: 'root' | 'intermediate', given: Settings) {
  return severities.map((status) => ({ status, withinMs: given.durationMs(`${kind}_expiry_${status}`) }));
}

const caValidity = defineCheck('ca_validity_period', {
  defaults: {
    intermediate_expiry_critical: '30d',
    intermediate_expiry_informational: '180d',
    intermediate_expiry_warning: '60d',
    root_expiry_critical: '180d',
    root_expiry_informational: '730d',
    root_expiry_warning: '365d',
  },
  settings: (given) => ({ root: expiries('root', given), intermediate: expiries('intermediate', given) }),
  async look(mount, { root, intermediate }) {
    if ((await mount.list('issuers')).state === 'unsupported') return [tooOld(`/${mount.mount}/issuers`)];
    return (await mount.issuers()).map(({ id, certificate }) => {
      const endpoint = `/${mount.mount}/issuer/${id}`;
      const end = day(certificate.notAfter);
      const near = (isSelfSigned(certificate) ? root : intermediate).find(
        ({ withinMs }) => certificate.notAfter < mount.nowMs + withinMs,
      );
      if (!near) return { status: 'ok', endpoint, message: `It is valid until ${end}.` };
      return {
        status: near.status,
        endpoint,
        message:
          `It is valid until ${end}, which is within ${near.withinMs / dayMs} days. Begin to put another in its ` +
          'place, so that nothing fails when it ends.',
      };
    });
  },
});

interface ListRule {
  name: string;
  percent: number;
  disabled: boolean;
}

const crlValidity = defineCheck('crl_validity_period', {
  defaults: { crl_expiry_pct_critical: '95', delta_crl_expiry_pct_critical: '95' },
  settings: (given) => ({
    whole: given.whole('crl_expiry_pct_critical', 1, 99),
    delta: given.whole('delta_crl_expiry_pct_critical', 1, 99),
  }),
  async look(mount, percents) {
    if ((await mount.list('issuers')).state === 'unsupported') return [tooOld(`/${mount.mount}/issuers`)];
    const ids = await mount.issuerIds();
    const config = await mount.read('config/crl');
    const disabled = config.data.disable === true || config.data.disabled === true;
    const facts = await Promise.all(ids.map((id) => mount.read(`issuer/${id}/crl`)));
    const deltas = await Promise.all(
      ids
        .filter((_, index) => listsIn(facts[index]!).length > 0)
        .map((id) => mount.read(`issuer/${id}/crl/delta`)),
    );
    const findings = (all: readonly Fact[], rule: ListRule) =>
      all.flatMap((fact) => listsIn(fact).map((list) => judgeList(fact.path, list, mount.nowMs, rule)));
    const noDeltas = deltas.length > 0 && deltas.every(({ state }) => state === 'unsupported');
    return [
      ...(config.state === 'denied' ? [denied(config, mount)] : []),
      ...(noDeltas ? [tooOld(`/${mount.mount}/issuer/*/crl/delta`)] : []),
      ...findings(facts, { name: 'CRL', percent: percents.whole, disabled }),
      ...findings(deltas, { name: 'delta CRL', percent: percents.delta, disabled }),
    ];
  },
});

function listsIn({ data: { crl } }: Fact): CertificateList[] {
  return typeof crl === 'string' && crl !== ''
    ? decodePem(crl)
        .slice(0, 1)
        .map(({ bytes }) => readCrl(bytes))
    : [];
}

function judgeList(
  endpoint: string,
  { thisUpdate, nextUpdate = Infinity }: CertificateList,
  nowMs: number,
  { name, percent, disabled }: ListRule,
): Finding {
  const due = thisUpdate + ((nextUpdate - thisUpdate) * percent) / 100;
  const span = `${day(thisUpdate)} to ${nextUpdate === Infinity ? 'no end' : day(nextUpdate)}`;
  if (nowMs < due) return { status: 'ok', endpoint, message: `The ${name} is good for ${span}.` };
  const message =
    `The ${name} is good for ${span}, and ${percent}% of that are over since ${day(due)}. Make a new one, and let it ` +
    'reach those that read it.';
  if (!disabled) return { status: 'critical', endpoint, message };
  return { status: 'informational', endpoint, message: `${message} CRLs are disabled, so it matters less.` };
}

const hardwareBackedRoot = defineCheck('hardware_backed_root', {
  defaults: { enabled: false },
  settings: () => undefined,
  async look(mount) {
    if ((await mount.list('issuers')).state === 'unsupported') return [tooOld(`/${mount.mount}/issuers`)];
    const roots = await mount.roots();
    const each = await Promise.all(roots.map(({ id }) => keyOfRoot(mount, id)));
    return each.flat();
  },
});

async function keyOfRoot(mount: MountFacts, id: string): Promise<Finding[]> {
  const issuer = await mount.read(`issuer/${id}`);
  if (issuer.state === 'denied') return [denied(issuer, mount)];
  const keyId = issuer.data.key_id;
  if (typeof keyId !== 'string' || keyId === '') return [];
  const key = await mount.read(`key/${keyId}`);
  if (key.state === 'denied') return [denied(key, mount)];
  const endpoint = `/${mount.mount}/issuer/${id}`;
  const managed = key.data.managed_key_id;
  if (typeof managed === 'string') {
    return [{ status: 'ok', endpoint, message: `Its key is the managed key ${managed}.` }];
  }
  const message =
    'The key of this root is kept in software. A root that is to last may be better kept in an HSM.';
  return [{ status: 'informational', endpoint, message }];
}

const rootIssuedLeaves = defineCheck('root_issued_leaves', {
  defaults: { certs_to_fetch: 100 },
  settings: (given) => given.whole('certs_to_fetch', 1, 100_000),
  async look(mount, most) {
    const issuers = await mount.list('issuers');
    if (issuers.state === 'unsupported') return [tooOld(issuers.path)];
    const roots = await mount.roots();
    const certs = await mount.list('certs');
    if (certs.state === 'denied') return (await mount.issuerIds()).map(() => denied(certs, mount));
    const found = new Map<string, string>();
    let leaves = 0;
    for (const serial of texts(certs.data.keys)) {
      if (leaves >= most || found.size === roots.length) break;
      const [leaf] = certificatesIn(await mount.read(`cert/${serial}`));
      if (!leaf || leaf.isCa) continue;
      leaves++;
      const root = roots.find(({ id, certificate }) => !found.has(id) && isIssued(leaf, certificate));
      if (root) found.set(root.id, serial);
    }
    if (found.size > 0) return [...found].map(([id, serial]) => leafOfRoot(mount, id, serial));
    if (roots.length === 0) return [];
    return [{ status: 'ok', endpoint: certs.path, message: 'No root of this mount signed a leaf itself.' }];
  },
});

function isIssued(leaf: Parameters<typeof isSignedBy>[0], root: Parameters<typeof isSignedBy>[1]): boolean {
  try {
    return leaf.issuer.der.equals(root.subject.der) && isSignedBy(leaf, root);
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

function leafOfRoot(mount: MountFacts, id: string, serial: string): Finding {
  return {
    status: 'warning',
    endpoint: `/${mount.mount}/issuer/${id}`,
    message:
      `This root signed a leaf itself (${serial}), with no intermediate CA between. To put another root in its place ` +
      'is harder so: sign leaves by an intermediate, and tidy once those of the root have ended.',
  };
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export const issuerChecks: readonly HealthCheck[] = [
  caValidity,
  crlValidity,
  hardwareBackedRoot,
  rootIssuedLeaves,
];
