import type { Clock } from '../base/clock.ts';
import { dayMs, minuteMs, secondMs } from '../base/duration.ts';
import type { Entropy } from '../base/entropy.ts';
import type { Log } from '../base/log.ts';
import { type EventRecorder, eventRecorder } from '../kube/event-recorder.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { certifyPath } from '../wire/grpc-identity.ts';
import { startGrpcServer } from '../wire/grpc-server.ts';
import type { ListenAddress } from '../wire/http-server.ts';
import { fingerprint } from '../x509/certificate.ts';
import { formatName } from '../x509/name.ts';
import { startAdmin } from './admin.ts';
import { checkIdentityDomain, identityServiceName, type TokenUser } from './identity-name.ts';
import { type Authority, issuerKeeper } from './issuer-keeper.ts';
import { issuerSource } from './issuer-source.ts';
import { identityMetrics } from './metrics.ts';
import { selfCertificate } from './self-certificate.ts';
import { certifyService } from './service.ts';
import { checkAccess, tokenReviewer } from './token-review.ts';

export interface IdentityOptions {
  kube: KubeClient;
  /** Judges and dates certificates. */
  clock: Clock;
  entropy: Entropy;
  log: Log;
  listen: ListenAddress;
  /**
   * True: TLS 1.3 with a leaf that the service issues to itself, for proxies that dial it directly. False:
   * cleartext HTTP/2, for a sidecar or a loopback client, as upstream serves.
   */
  tls: boolean;
  /** `/ping`, `/ready` and `/metrics`, where given. */
  adminListen?: ListenAddress;
  /** Where the control plane lives, and with it the Secret and the ConfigMap. Default `linkerd`. */
  controlNamespace?: string;
  /** Default `cluster.local`. */
  trustDomain?: string;
  /** Default 24 h. */
  issuanceLifetimeMs?: number;
  /** Default 10 s. */
  clockSkewMs?: number;
  /** How often the Secret and the ConfigMap are read anew, whether or not the watch told of a change. */
  resyncMs?: number;
}

export interface IdentityServer {
  address: ListenAddress;
  adminAddress: ListenAddress | undefined;
  /** The name that the service's own leaf holds. */
  name: string;
  ready(): boolean;
  metrics(): string;
  close(): Promise<void>;
}

const component = 'linkerd-identity';
const issuerSecret = 'linkerd-identity-issuer';
const trustRoots = { name: 'linkerd-identity-trust-roots', key: 'ca-bundle.crt' };

/** A request is a token and a PKCS #10: a few kilobytes. */
const messageLimitBytes = 64 * 1_024;
/** How long the start waits for the first look at the issuer, in real milliseconds. */
const patienceMs = 3 * secondMs;
/** Certify calls that wait for their TokenReview at once. */
const concurrencyLimit = 1_000;

type Settings = Required<Omit<IdentityOptions, 'adminListen'>> & Pick<IdentityOptions, 'adminListen'>;

/**
 * Linkerd's identity service (`io.linkerd.proxy.identity.Identity`), issuing from the pair in Secret
 * `linkerd-identity-issuer` under the roots in ConfigMap `linkerd-identity-trust-roots`, both followed while it runs.
 *
 * @throws Fault `identity.access` where it may not review tokens, `identity.domain`, `wire.listen.*`
 */
export async function startIdentity(options: IdentityOptions): Promise<IdentityServer> {
  const settings: Settings = {
    controlNamespace: 'linkerd',
    trustDomain: 'cluster.local',
    issuanceLifetimeMs: dayMs,
    clockSkewMs: 10 * secondMs,
    resyncMs: 5 * minuteMs,
    ...options,
  };
  const { kube, clock, log, controlNamespace: namespace, resyncMs } = settings;
  checkIdentityDomain(settings);
  await checkAccess(kube);
  const identity = certifying(settings);
  const { keeper, metrics } = identity;
  const grpc = await startGrpcServer({
    listen: settings.listen,
    tls: settings.tls,
    log,
    messageLimitBytes,
    concurrencyLimit,
    observe: (path) => metrics.observe(path),
    methods: { [certifyPath]: identity.certify },
  });
  const own = settings.tls
    ? selfCertificate({
        ...{ ...settings, name: identityServiceName(settings), validity: identity.validity },
        issuer: () => keeper.authority()?.issuer,
        serve: (credential) => grpc.serve(credential),
      })
    : undefined;
  const ready = () => keeper.authority() !== undefined;
  const admin = settings.adminListen
    ? await startAdmin({ listen: settings.adminListen, ready, metrics: () => metrics.text() })
    : undefined;
  const stop = new AbortController();
  const source = issuerSource({
    ...{ kube, clock, log, namespace, resyncMs, signal: stop.signal },
    secret: issuerSecret,
    configMap: trustRoots.name,
    onOffer: (offer) => keeper.consider(offer),
  });
  await atMost(patienceMs, source.synced);
  // From here on the leaf follows the issuer; before, it may have been accepted already.
  await own?.renew();
  identity.onIssuer(() => void own?.renew());
  return {
    address: grpc.address,
    adminAddress: admin?.address,
    name: identityServiceName(settings),
    ready,
    metrics: () => metrics.text(),
    async close() {
      stop.abort();
      own?.close();
      await Promise.all([grpc.close(), admin?.close(), source.stopped]);
    },
  };
}

/** An API that does not answer yet must not keep the service from starting, nor from being stopped. */
function atMost(limitMs: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(resolve, limitMs);
    work.then(
      () => {
        clearTimeout(late);
        resolve();
      },
      // Rejects only where it was stopped.
      () => resolve(),
    );
  });
}

/** The service behind the port: what it issues from, how it decides, what it tells. */
function certifying(settings: Settings) {
  const { kube, clock, entropy, log, controlNamespace, trustDomain } = settings;
  const tell = reporter(eventRecorder({ client: kube, clock, component, log }), controlNamespace);
  let onIssuer = () => {};
  const metrics = identityMetrics(clock, {
    issuerExpiryMs: () => keeper.authority()?.issuer.certificate.notAfter,
    trustAnchors: () =>
      keeper.roots().map((root) => ({
        subject: formatName(root.subject),
        fingerprint: fingerprint(root),
        expiryMs: root.notAfter,
      })),
  });
  const keeper = issuerKeeper({
    clock,
    log,
    issuerName: `identity.${controlNamespace}.${trustDomain}`,
    source: {
      issuer: `Secret ${controlNamespace}/${issuerSecret}`,
      roots: `ConfigMap ${controlNamespace}/${trustRoots.name}`,
    },
    rootsKey: trustRoots.key,
    onAccepted: (authority, first) => {
      metrics.countIssuerUpdate('accepted');
      log.info(first ? 'issuer loaded' : 'Updated identity issuer', describeIssuer(authority, clock.now()));
      if (!first) tell.aboutService('Normal', 'IssuerUpdated', 'Updated identity issuer');
      onIssuer();
    },
    onSkipped: (message) => {
      metrics.countIssuerUpdate('refused');
      log.warn(message);
      tell.aboutService('Warning', 'IssuerUpdateSkipped', message);
    },
  });
  const validity = { lifetimeMs: settings.issuanceLifetimeMs, clockSkewMs: settings.clockSkewMs };
  const certify = certifyService({
    ...{ domain: { controlNamespace, trustDomain }, validity, clock, entropy, log },
    authority: () => keeper.authority(),
    reviewToken: tokenReviewer(kube),
    onIssued: (user, message) => tell.aboutLeaf(user, message),
    onIssuerInvalid: (message) => tell.aboutService('Warning', 'IssuerValidationFailed', message),
  });
  return { keeper, metrics, validity, certify, onIssuer: (listener: () => void) => (onIssuer = listener) };
}

function describeIssuer({ issuer }: Authority, nowMs: number): Record<string, unknown> {
  const { subject, notAfter } = issuer.certificate;
  return {
    issuer: formatName(subject),
    fingerprint: fingerprint(issuer.certificate),
    invalidAfter: new Date(notAfter).toISOString(),
    ttlSeconds: Math.floor((notAfter - nowMs) / 1_000),
  };
}

/** Events in upstream's words and places: about the Deployment, and about the service account of each leaf. */
function reporter(recorder: EventRecorder, controlNamespace: string) {
  const deployment = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: component, namespace: controlNamespace },
  };
  return {
    aboutService(type: 'Normal' | 'Warning', reason: string, message: string): void {
      void recorder.record(deployment, type, reason, message);
    },
    aboutLeaf({ name, namespace }: TokenUser, message: string): void {
      const account = { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name, namespace } };
      void recorder.record(account, 'Normal', 'IssuedLeafCertificate', message);
    },
  };
}
