import type { Clock } from '../base/clock.ts';
import type { Entropy } from '../base/entropy.ts';
import type { Log } from '../base/log.ts';
import { type Informer, keyOf, splitKey, startInformer } from '../kube/informer.ts';
import type { KubeClient, ListOptions } from '../kube/kube-client.ts';
import { type KubeObject, type Resource, type Secret, secrets } from '../kube/resource.ts';
import type { CertificateFacts } from './certificate-facts.ts';
import { conditionOf, epochMs } from './conditions.ts';
import { heldSecret } from './held-secret.ts';
import { type KeyIndex, keyIndex } from './key-index.ts';
import {
  type Certificate,
  type CertificateRequest,
  certificateRequests,
  certificates,
  clusterIssuers,
  group,
  type Issuer,
  type IssuerReference,
  isOwnedBy,
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

export interface Caches {
  synced: Promise<unknown>;
  factsOf: (certificateKey: string) => CertificateFacts | undefined;
  requestOf: (key: string) => CertificateRequest | undefined;
  /** By `namespace/name` or, for a ClusterIssuer, name. */
  issuerOf: (key: string) => Issuer | undefined;
  issuerNamed: (reference: IssuerReference, namespace: string) => Issuer | undefined;
  allIssuers: () => Issuer[];
  /** Wakes what waits for an issuer. */
  wakeDependents: (issuerKey: string) => void;
}

/** The four kinds and the Secrets labelled for our attention, with whom each change concerns. */
export function startCaches(
  options: { kube: KubeClient; clock: Clock; entropy: Entropy; log: Log; signal: AbortSignal },
  wakes: Wakes,
): Caches {
  const { kube, clock, entropy, log, signal } = options;
  const bySecret = keyIndex<Certificate>(({ metadata, spec }) => [
    `${metadata.namespace}/${spec.secretName}`,
  ]);
  const certificatesByIssuer = keyIndex<Certificate>(referredIssuer);
  const requestsByIssuer = keyIndex<CertificateRequest>(referredIssuer);
  const requestsByOwner = keyIndex<CertificateRequest>(controllerUid);
  const nextKeysByOwner = keyIndex<Secret>(controllerUid);

  function follow<T extends KubeObject>(
    resource: Resource,
    onChange: (object: T | undefined, previous: T | undefined) => void,
    listOptions: ListOptions = {},
  ): Informer<T> {
    return startInformer<T>({
      client: kube,
      resource,
      options: listOptions,
      clock,
      entropy,
      log,
      signal,
      onChange,
    });
  }

  const certificateCache = follow<Certificate>(certificates, (object, previous) => {
    bySecret.update(object, previous);
    certificatesByIssuer.update(object, previous);
    const { metadata } = (object ?? previous)!;
    wakes.certificate(keyOf(metadata));
    // Whoever shares the Secret may be its owner now.
    if (object && previous && object.spec.secretName === previous.spec.secretName) return;
    for (const one of [object, previous]) {
      if (one) wakeNamers(bySecret, one.metadata.namespace, one.spec.secretName);
    }
  });

  const requestCache = follow<CertificateRequest>(certificateRequests, (object, previous) => {
    requestsByIssuer.update(object, previous);
    requestsByOwner.update(object, previous);
    const request = (object ?? previous)!;
    wakes.request(keyOf(request.metadata), false);
    wakeOwner(request);
  });

  const secretCache = follow<Secret>(
    secrets,
    (object, previous) => {
      nextKeysByOwner.update(object, previous);
      const { metadata } = (object ?? previous)!;
      wakeNamers(bySecret, metadata.namespace, metadata.name);
      wakeOwner((object ?? previous)!);
    },
    { labelSelector: `${keys.attention}=true` },
  );

  const issuerChanged = (object: Issuer | undefined, previous: Issuer | undefined) => {
    const key = keyOf((object ?? previous)!.metadata);
    const resync = object === previous;
    if (resync || object?.metadata.generation !== previous?.metadata.generation || !object || !previous) {
      wakes.issuersChanged();
      wakes.issuer(key);
    }
    if (!resync && (!previous || !object || standing(object) !== standing(previous))) wakeDependents(key);
  };
  const issuerCache = follow<Issuer>(issuers, issuerChanged);
  const clusterIssuerCache = follow<Issuer>(clusterIssuers, issuerChanged);

  function wakeNamers(index: KeyIndex<Certificate>, namespace: string | undefined, secretName: string): void {
    for (const key of index.keys(`${namespace}/${secretName}`)) wakes.certificate(key);
  }

  function wakeOwner({ metadata }: KubeObject): void {
    const owner = metadata.ownerReferences?.find(({ controller }) => controller === true);
    if (owner?.kind === certificates.kind) wakes.certificate(`${metadata.namespace}/${owner.name}`);
  }

  function wakeDependents(issuerKey: string): void {
    for (const key of requestsByIssuer.keys(issuerKey)) wakes.request(key, true);
    for (const key of certificatesByIssuer.keys(issuerKey)) wakes.certificate(key);
  }

  function issuerOf(key: string): Issuer | undefined {
    const { name, namespace } = splitKey(key);
    return namespace === undefined ? clusterIssuerCache.get(name) : issuerCache.get(name, namespace);
  }

  function factsOf(key: string): CertificateFacts | undefined {
    const { name, namespace } = splitKey(key);
    const certificate = certificateCache.get(name, namespace);
    if (!certificate) return undefined;
    const { uid = '' } = certificate.metadata;
    const { secretName, issuerRef } = certificate.spec;
    const secret = secretCache.get(secretName, namespace);
    const issuer = issuerNamed(issuerRef, namespace!);
    return {
      certificate,
      secret: secret && heldSecret(secret),
      requests: found(requestsByOwner.keys(uid), requestCache),
      nextKeys: found(nextKeysByOwner.keys(uid), secretCache).filter(
        (held) => held.metadata.labels?.[keys.nextPrivateKey] === 'true' && isOwnedBy(held, certificate),
      ),
      rivals: found(bySecret.keys(`${namespace}/${secretName}`), certificateCache).filter(
        ({ metadata }) => metadata.name !== name,
      ),
      issuerAuthorizedSinceMs: issuer && authorizedSinceMs(issuer),
    };
  }

  function issuerNamed(reference: IssuerReference, namespace: string): Issuer | undefined {
    const key = issuerKeyOf(reference, namespace);
    return key === undefined ? undefined : issuerOf(key);
  }

  return {
    synced: Promise.all(
      [certificateCache, requestCache, secretCache, issuerCache, clusterIssuerCache].map(
        ({ synced }) => synced,
      ),
    ),
    factsOf,
    requestOf: (key) => {
      const { name, namespace } = splitKey(key);
      return requestCache.get(name, namespace);
    },
    issuerOf,
    issuerNamed,
    allIssuers: () => [...issuerCache.list(), ...clusterIssuerCache.list()],
    wakeDependents,
  };
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
