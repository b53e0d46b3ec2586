import type { Clock } from '../../base/clock.ts';
import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import type { Following } from '../../store/following.ts';
import type { Store } from '../../store/store.ts';
import { type Certificate, serialText } from '../../x509/certificate.ts';
import type { Authority } from '../authority.ts';
import type { Issuer } from '../issuer.ts';
import { storedSerial } from '../ledger.ts';
import type { TtlLimits } from '../validity.ts';
import { type Accounts, storedAccounts } from './accounts.ts';
import { acmeDefaults, noClusterPath, type StoredSettings, storedSettings } from './acme-settings.ts';
import { AcmeStore } from './acme-store.ts';
import { acmeRole, type Directory, type DirectoryName, openDirectory } from './directory.ts';
import { type Bindings, storedBindings } from './external-account.ts';
import { type Nonces, storedNonces } from './nonces.ts';
import type { CertificateRecord, IssuedCertificate } from './order.ts';
import { type Orders, storedOrders } from './orders.ts';
import type { Prober } from './prober.ts';
import { Problem } from './problem.ts';
import {
  type CertificateName,
  type RenewalFacts,
  type RenewalWindow,
  renewalWindow,
  unknownCertificate,
} from './renewal-info.ts';
import { type Revoking, revoking } from './revoking.ts';
import { type TidyCounts, type TidyOptions, tidyAcme } from './tidying.ts';
import { Validator } from './validations.ts';

export interface AcmeOptions {
  store: Store;
  /** Of the authority: ACME keeps its own below it. */
  prefix: string;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  prober: Prober;
  authority: Authority;
  limits: () => TtlLimits;
  guard: () => { key: string; revision: number };
  following?: Following;
}

/** A CA's ACME server (RFC 8555, 8738, 9773), whatever HTTP it is put in. Any number of nodes serve one store. */
export interface Acme {
  readonly settings: StoredSettings;
  readonly bindings: Bindings;
  readonly nonces: Nonces;
  readonly accounts: Accounts;
  readonly orders: Orders;
  readonly revoking: Revoking;
  now(): number;
  /** Where clients reach the CA: what every URL begins with. @throws Problem `serverInternal` where nobody has said */
  baseUrl(): string;
  /** Undefined while ACME is off. @throws Problem */
  directory(name: DirectoryName): Promise<Directory | undefined>;
  /** The certificate of an order and what is above it, from each issuer of the same name and key in turn. */
  chains(issued: IssuedCertificate): Promise<{ issuer: Issuer; certificates: readonly Certificate[] }[]>;
  /** @throws Problem `malformed`, status 404 */
  renewal(name: CertificateName): Promise<RenewalWindow>;
  tidy(options: TidyOptions): Promise<TidyCounts>;
  close(): Promise<void>;
}

export function openAcme(options: AcmeOptions): Acme {
  const { clock, entropy, log, prober, authority, limits, following } = options;
  const store = new AcmeStore({ ...options, prefix: `${options.prefix}acme/` });
  const settings = storedSettings(store, {
    assertIssuer: (reference) => void authority.issuer(reference),
    assertRole: async (name) => void (await acmeRole(name, authority)),
    clusterPath: () => authority.cluster().path,
  });
  const resolver = async () => (await settings.read()).dns_resolver;
  const validator = new Validator({
    store,
    clock,
    log,
    prober,
    resolver,
    ...(following ? { following } : {}),
  });
  const orders = storedOrders({
    store,
    clock,
    entropy,
    authority,
    limits,
    onWaiting: () => validator.look(),
  });
  // What a restart came between is taken up again.
  validator.look();
  return {
    settings,
    bindings: storedBindings(store, { clock, entropy }),
    nonces: storedNonces({
      store: options.store,
      prefix: store.prefix,
      clock,
      entropy,
      commit: (batch) => store.commit(batch),
    }),
    accounts: storedAccounts(store, { clock, entropy }),
    orders,
    revoking: revoking({ store, clock, orders, authority }),
    now: () => clock.now(),
    baseUrl: () => baseUrl(authority),
    async directory(name) {
      const now = await settings.read();
      return now.enabled ? openDirectory(name, now, authority) : undefined;
    },
    chains: (issued) => chainsOf(issued, authority),
    renewal: (name) => renewal(name, store, authority),
    tidy: (buffers) => tidyAcme(store, clock, buffers),
    close: () => validator.close(),
  };
}

function baseUrl(authority: Authority): string {
  const { path } = authority.cluster();
  if (path) return path.replace(/\/+$/, '');
  throw new Problem('serverInternal', noClusterPath);
}

async function chainsOf({ serial, issuerId }: IssuedCertificate, authority: Authority) {
  const leaf = await authority.certificate(serial);
  const issuers = authority.issuers();
  const own = issuers.find(({ id }) => id === issuerId);
  if (!leaf || !own) throw unknownCertificate();
  const { spki, subject } = own.certificate;
  // Cross-signed certificates of one issuer: all of them are above the leaf.
  const twins = issuers.filter(
    ({ id, certificate }) =>
      id !== issuerId && certificate.spki.equals(spki) && certificate.subject.der.equals(subject.der),
  );
  return [own, ...twins].map((issuer) => ({
    issuer,
    certificates: [leaf, ...authority.chain(issuer)],
  }));
}

async function renewal(
  { authorityKeyId, serial }: CertificateName,
  store: AcmeStore,
  authority: Authority,
): Promise<RenewalWindow> {
  const certificate = await authority.certificate(serialText(serial));
  if (!certificate?.authorityKeyId?.equals(authorityKeyId)) throw unknownCertificate();
  return renewalWindow(certificate, await renewalFacts(certificate, store, authority));
}

async function renewalFacts(
  certificate: Certificate,
  store: AcmeStore,
  authority: Authority,
): Promise<RenewalFacts> {
  const serial = serialText(certificate.serial);
  const revoked = await authority.revocations.status(serial);
  if (revoked) return { revokedAtMs: revoked.revokedAtMs };
  const signer = authority
    .issuers()
    .find(
      (issuer) =>
        issuer.certificate.subject.der.equals(certificate.issuer.der) &&
        issuer.certificate.subjectKeyId?.equals(certificate.authorityKeyId!),
    );
  if (signer?.revokedAt !== undefined) return { revokedAtMs: signer.revokedAt };
  const record = await store.read<CertificateRecord>(store.at.certificate(storedSerial(serial)));
  const successor = record && (await issuerToday(record.value.directory, store, authority));
  if (!successor || !signer || successor.certificate.spki.equals(signer.certificate.spki)) return {};
  return { succeededSinceMs: successor.certificate.notBefore };
}

/** What the directory would sign with now; undefined where it would sign nothing. */
async function issuerToday(
  path: string,
  store: AcmeStore,
  authority: Authority,
): Promise<Issuer | undefined> {
  const stored = await store.read<Partial<typeof acmeDefaults>>(store.at.settings());
  const [, issuer, role] = /^(?:issuer\/([^/]+)\/)?(?:roles\/([^/]+)\/)?acme$/.exec(path) ?? [];
  try {
    const name = { path, ...(issuer ? { issuer } : {}), ...(role ? { role } : {}) };
    return (await openDirectory(name, { ...acmeDefaults, ...stored?.value }, authority)).signer;
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
