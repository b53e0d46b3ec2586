import { hourMs } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';
import { SecretText } from '../../base/secret.ts';
import { type Secret, secrets } from '../../kube/resource.ts';
import { type Certificate, readCertificates } from '../../x509/certificate.ts';
import { formatName } from '../../x509/name.ts';
import { printCertificate } from '../../x509/print-text.ts';
import type { Outcome, Step } from '../step.ts';
import type { World } from '../world.ts';

export const names = {
  mount: 'pki',
  policy: 'pki_policy',
  root: 'root.linkerd.cluster.local',
  tokenSecret: { name: 'my-secret-token', namespace: 'cert-manager', key: 'token' },
} as const;

const rootTtlHours = 2160;
const tokenTtl = '767h';

const policyText = `path "${names.mount}*" {
  capabilities = ["create", "read", "update", "delete", "list", "sudo"]
}
`;

const done = (saw: string, details?: Outcome['details']): Outcome => ({
  state: 'done',
  saw,
  ...(details ? { details } : {}),
});
const found = (saw: string, details?: Outcome['details']): Outcome => ({
  ...done(saw, details),
  state: 'found',
});

/** The CA's half of the tutorial, each step the request that its `vault` line sends. */
export const caSteps: readonly Step<World>[] = [
  {
    id: 'ca-login',
    title: 'log in to the CA',
    async run({ ca }) {
      const { data } = (await ca.read('auth/token/lookup-self'))!;
      return found(`token accepted, policies ${JSON.stringify(data.policies)}`, { policies: data.policies });
    },
  },
  {
    id: 'pki-enable',
    title: 'enable the PKI engine',
    async run({ ca }) {
      const mounts = (await ca.read('sys/mounts'))!.data;
      if (`${names.mount}/` in mounts) return found(`mounted at ${names.mount}/`);
      await ca.write(`sys/mounts/${names.mount}`, { type: 'pki' });
      return done(`mounted at ${names.mount}/`);
    },
  },
  {
    id: 'pki-tune',
    title: `let certificates live for ${rootTtlHours}h`,
    async run({ ca }) {
      const path = `sys/mounts/${names.mount}/tune`;
      const ceiling = `max_lease_ttl ${rootTtlHours}h`;
      if ((await ca.read(path))!.data.max_lease_ttl === (rootTtlHours * hourMs) / 1000) return found(ceiling);
      await ca.write(path, { max_lease_ttl: `${rootTtlHours}h` });
      return done(ceiling);
    },
  },
  {
    id: 'pki-urls',
    title: 'publish where the CA certificate and CRL are',
    async run({ ca }) {
      const urls = {
        issuing_certificates: [`${ca.address}/v1/${names.mount}/ca`],
        crl_distribution_points: [`${ca.address}/v1/${names.mount}/crl`],
      };
      const present = (await ca.read(`${names.mount}/config/urls`))?.data ?? {};
      const saw = Object.values(urls).flat().join(', ');
      const same = Object.entries(urls).every(([key, value]) => String(present[key]) === String(value));
      if (same) return found(saw, urls);
      await ca.write(`${names.mount}/config/urls`, urls);
      return done(saw, urls);
    },
  },
  {
    id: 'policy',
    title: `write the policy ${names.policy}`,
    async run({ ca }) {
      const path = `sys/policies/acl/${names.policy}`;
      if ((await ca.read(path))?.data.policy === policyText) return found(`allows all on ${names.mount}*`);
      await ca.write(path, { policy: policyText });
      return done(`allows all on ${names.mount}*`);
    },
  },
  { id: 'issuer-token', title: "make cert-manager's token", run: issuerToken },
  { id: 'root', title: 'create the trust anchor', run: createRoot },
  {
    id: 'root-inspect',
    title: 'inspect the trust anchor',
    async run(world) {
      const root = readRoot(world.root!);
      const selfIssued = root.issuer.der.equals(root.subject.der);
      const ownKey = root.subjectKeyId?.toString('hex') === root.authorityKeyId?.toString('hex');
      if (!selfIssued || !ownKey || !root.isCa) {
        throw new Fault(`the trust anchor ${formatName(root.subject)} is not a self-signed CA certificate`, {
          code: 'app.root.form',
          blame: 'peer',
        });
      }
      return {
        ...found('subject and issuer are the same, and so are the key identifiers'),
        text: printCertificate(root, { layout: 'classic' }),
      };
    },
  },
];

async function issuerToken(world: World): Promise<Outcome> {
  const { name, namespace, key } = names.tokenSecret;
  const stored = (await world.kube.get<Secret>(secrets, name, namespace))?.data?.[key];
  if (stored !== undefined) {
    const token = Buffer.from(stored, 'base64').toString('utf8');
    const alive = await world.ca.write('auth/token/lookup', { token }).catch(refused);
    if (alive) {
      world.issuerToken = new SecretText(token);
      return found(`in use, ${String(alive.data.ttl)} s left`, { ttl: alive.data.ttl });
    }
  }
  const { auth } = await world.ca.write('auth/token/create', {
    policies: [names.policy],
    no_parent: true,
    no_default_policy: true,
    renewable: true,
    ttl: tokenTtl,
    num_uses: 0,
  });
  world.issuerToken = new SecretText(String(auth?.client_token));
  const facts = { policies: auth?.policies, ttl: auth?.lease_duration, orphan: auth?.orphan };
  return done(`orphan, policies ${JSON.stringify(facts.policies)}, ${String(facts.ttl)} s to live`, facts);
}

/** The CA no longer knows the token: not an error here, but a reason to make another. */
function refused(error: unknown): undefined {
  if (error instanceof Fault && error.code === 'app.ca.refused') return undefined;
  throw error;
}

async function createRoot(world: World): Promise<Outcome> {
  const issuers = await world.ca.read(`${names.mount}/issuers?list=true`);
  if (issuers) {
    const present = String((await world.ca.read(`${names.mount}/cert/ca`))!.data.certificate);
    const root = readRoot(present);
    if (root.notAfter <= world.clock.now()) {
      throw new Fault(`the trust anchor expired at ${new Date(root.notAfter).toISOString()}`, {
        code: 'app.root.expired',
        blame: 'operator',
        fix: 'start afresh with another --data folder',
      });
    }
    world.root = present;
    return found(describe(root), facts(root));
  }
  const { data } = await world.ca.write(`${names.mount}/root/generate/internal`, {
    common_name: names.root,
    ttl: `${rootTtlHours}h`,
    key_type: 'ec',
  });
  world.root = String(data.certificate);
  const root = readRoot(world.root);
  return done(describe(root), facts(root));
}

function readRoot(pem: string): Certificate {
  return readCertificates(pem)[0]!;
}

function describe(root: Certificate): string {
  return `${formatName(root.subject)}, until ${new Date(root.notAfter).toISOString()}; its key stays in the CA`;
}

function facts(root: Certificate): Outcome['details'] {
  return { subject: formatName(root.subject), notAfter: new Date(root.notAfter).toISOString() };
}
