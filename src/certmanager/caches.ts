import type { Clock } from '../base/clock.ts';
import type { Entropy } from '../base/entropy.ts';
import type { Log } from '../base/log.ts';
import { type Informer, keyOf, splitKey, startInformer } from '../kube/informer.ts';
import type { KubeClient, ListOptions } from '../kube/kube-client.ts';
import { type KubeObject, type Resource, type Secret, secrets } from '../kube/resource.ts';
import type { CertificateFacts } from './certificate-facts.ts';
import { conditionOf, epochMs } from './conditions.ts';
import { heldSecret } from './held-secret.ts';
import { keyIndex } from './key-index.ts';
import {
  type Certificate,
  type CertificateRequest,
  certificateRequests,
  certificates,
  clusterIssuers,
  group,
  type Issuer,
  type IssuerReference,
  issuerIdentity,
  issuers,
  keys,
} from './kinds.ts';

/** What is to be looked at again because something else changed; keys as in the informers. */
export interface Wakes {
  certificate(key: string): void;
  /** `urgent` where what it waited for may have come: it is not to wait for its next attempt. */
  request(key: string, urgent: boolean): void;
  issuer(key: string): void;
  /** An issuer came, went or changed its spec. */
  issuersChanged(): void;
}

export interface CacheOptions {
  kube: KubeClient;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  signal: AbortSignal;
}

/** The four kinds and the Secrets labelled for our attention, with whom each change concerns. */
export class Caches {
  /** Resolves when all of them are complete. */
  readonly synced: Promise<unknown>;
  readonly #wakes: Wakes;
  readonly #certificates: Informer<Certificate>;
  readonly #requests: Informer<CertificateRequest>;
  readonly #secrets: Informer<Secret>;
  readonly #issuers: Informer<Issuer>;
  readonly #clusterIssuers: Informer<Issuer>;
  readonly #certificatesBySecret = keyIndex<Certificate>(({ metadata, spec }) => [
    `${metadata.namespace}/${spec.secretName}`,
  ]);
  readonly #certificatesByIssuer = keyIndex<Certificate>(referredIssuer);
  readonly #requestsByIssuer = keyIndex<CertificateRequest>(referredIssuer);
  readonly #requestsByOwner = keyIndex<CertificateRequest>(controllerUid);
  readonly #secretsByOwner = keyIndex<Secret>(controllerUid);

  constructor(options: CacheOptions, wakes: Wakes) {
    this.#wakes = wakes;
    this.#certificates = follow(options, certificates, (now, before) =>
      this.#certificateChanged(now, before),
    );
    this.#requests = follow(options, certificateRequests, (now, before) => this.#requestChanged(now, before));
    this.#secrets = follow(options, secrets, (now, before) => this.#secretChanged(now, before), {
      labelSelector: `${keys.attention}=true`,
    });
    this.#issuers = follow(options, issuers, (now, before) => this.#issuerChanged(now, before));
    this.#clusterIssuers = follow(options, clusterIssuers, (now, before) => this.#issuerChanged(now, before));
    const all = [this.#certificates, this.#requests, this.#secrets, this.#issuers, this.#clusterIssuers];
    this.synced = Promise.all(all.map(({ synced }) => synced));
  }

  /** What is known about the Certificate of a key; undefined where there is none. */
  factsOf(key: string): CertificateFacts | undefined {
    const { name, namespace } = splitKey(key);
    const certificate = this.#certificates.get(name, namespace);
    if (!certificate) return undefined;
    const { uid = '' } = certificate.metadata;
    const { secretName, issuerRef } = certificate.spec;
    const secret = this.#secrets.get(secretName, namespace);
    const issuer = this.issuerNamed(issuerRef, namespace!);
    return {
      certificate,
      secret: secret && heldSecret(secret),
      requests: found(this.#requestsByOwner.keys(uid), this.#requests),
      nextKeys: found(this.#secretsByOwner.keys(uid), this.#secrets).filter(
        ({ metadata }) => metadata.labels?.[keys.nextPrivateKey] === 'true',
      ),
      rivals: found(this.#certificatesBySecret.keys(`${namespace}/${secretName}`), this.#certificates).filter(
        ({ metadata }) => metadata.name !== name,
      ),
      issuerAuthorizedSinceMs: issuer && authorizedSinceMs(issuer),
    };
  }

  requestOf(key: string): CertificateRequest | undefined {
    const { name, namespace } = splitKey(key);
    return this.#requests.get(name, namespace);
  }

  /** By `namespace/name` or, for a ClusterIssuer, name. */
  issuerOf(key: string): Issuer | undefined {
    const { name, namespace } = splitKey(key);
    return namespace === undefined ? this.#clusterIssuers.get(name) : this.#issuers.get(name, namespace);
  }

  issuerNamed(reference: IssuerReference, namespace: string): Issuer | undefined {
    const key = issuerKeyOf(reference, namespace);
    return key === undefined ? undefined : this.issuerOf(key);
  }

  allIssuers(): Issuer[] {
    return [...this.#issuers.list(), ...this.#clusterIssuers.list()];
  }

  /** Wakes what waits for an issuer. */
  #wakeDependents(issuerKey: string): void {
    for (const key of this.#requestsByIssuer.keys(issuerKey)) this.#wakes.request(key, true);
    for (const key of this.#certificatesByIssuer.keys(issuerKey)) this.#wakes.certificate(key);
  }

  #certificateChanged(now: Certificate | undefined, before: Certificate | undefined): void {
    this.#certificatesBySecret.update(now, before);
    this.#certificatesByIssuer.update(now, before);
    this.#wakes.certificate(keyOf((now ?? before)!.metadata));
    // Whoever shares the Secret may be its owner now.
    if (now && before && now.spec.secretName === before.spec.secretName) return;
    for (const one of [now, before]) {
      if (one) this.#wakeNamers(one.metadata.namespace, one.spec.secretName);
    }
  }

  #requestChanged(now: CertificateRequest | undefined, before: CertificateRequest | undefined): void {
    this.#requestsByIssuer.update(now, before);
    this.#requestsByOwner.update(now, before);
    const request = (now ?? before)!;
    this.#wakes.request(keyOf(request.metadata), false);
    this.#wakeOwner(request);
  }

  #secretChanged(now: Secret | undefined, before: Secret | undefined): void {
    this.#secretsByOwner.update(now, before);
    const secret = (now ?? before)!;
    this.#wakeNamers(secret.metadata.namespace, secret.metadata.name);
    this.#wakeOwner(secret);
  }

  #issuerChanged(now: Issuer | undefined, before: Issuer | undefined): void {
    const key = keyOf((now ?? before)!.metadata);
    if (now === before || !now || !before || now.metadata.generation !== before.metadata.generation) {
      this.#wakes.issuersChanged();
      this.#wakes.issuer(key);
    }
    if (!now || !before || standing(now) !== standing(before)) this.#wakeDependents(key);
  }

  #wakeNamers(namespace: string | undefined, secretName: string): void {
    for (const key of this.#certificatesBySecret.keys(`${namespace}/${secretName}`))
      this.#wakes.certificate(key);
  }

  #wakeOwner({ metadata }: KubeObject): void {
    const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
    if (owner?.kind === certificates.kind) this.#wakes.certificate(`${metadata.namespace}/${owner.name}`);
  }
}

function follow<T extends KubeObject>(
  { kube, clock, entropy, log, signal }: CacheOptions,
  resource: Resource,
  onChange: (now: T | undefined, before: T | undefined) => void,
  options: ListOptions = {},
): Informer<T> {
  return startInformer<T>({ client: kube, resource, options, clock, entropy, log, signal, onChange });
}

function found<T extends KubeObject>(objectKeys: readonly string[], cache: Informer<T>): T[] {
  return objectKeys.flatMap((key) => {
    const { name, namespace } = splitKey(key);
    return cache.get(name, namespace) ?? [];
  });
}

/** The key under which an issuer is cached; undefined for issuers of other groups and kinds, which are not ours. */
function issuerKeyOf(reference: IssuerReference, namespace: string): string | undefined {
  const { name, kind, group: issuerGroup } = issuerIdentity(reference);
  if (issuerGroup !== group) return undefined;
  if (kind === clusterIssuers.kind) return name;
  return kind === issuers.kind ? `${namespace}/${name}` : undefined;
}

function referredIssuer({ metadata, spec }: Certificate | CertificateRequest): string[] {
  const key = issuerKeyOf(spec.issuerRef, metadata.namespace!);
  return key === undefined ? [] : [key];
}

function controllerUid({ metadata }: KubeObject): string[] {
  return (metadata.ownerReferences ?? []).flatMap(({ controller, uid }) =>
    controller === true ? [uid] : [],
  );
}

/** What of an issuer others wait for. */
function standing(issuer: Issuer): string {
  const { status } = issuer;
  const of = (type: string) => conditionOf({ ...(status ? { status } : {}) }, type);
  const authorized = of('Authorized');
  return JSON.stringify([
    issuer.metadata.generation,
    of('Ready')?.status,
    authorized?.status,
    authorized?.lastTransitionTime,
  ]);
}

function authorizedSinceMs(issuer: Issuer): number | undefined {
  const authorized = conditionOf(issuer, 'Authorized');
  return authorized?.status === 'True' ? epochMs(authorized.lastTransitionTime) : undefined;
}
