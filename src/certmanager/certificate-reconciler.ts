import type { Clock } from '../base/clock.ts';
import { formatDuration, parseDuration } from '../base/duration.ts';
import type { Entropy } from '../base/entropy.ts';
import { describeError, Fault } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { splitKey } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { type KubeObject, type Secret, secrets } from '../kube/resource.ts';
import { generateKeyAsync, writePrivateKey } from '../x509/key.ts';
import { type CertificateFacts, nextRevision, requestName } from './certificate-facts.ts';
import { type CertificateDecision, decideCertificate } from './certificate-plan.ts';
import type { CertificateEvent, CertificateStep } from './certificate-step.ts';
import { heldSecret } from './held-secret.ts';
import {
  type Certificate,
  type CertificateRequest,
  certificateRequests,
  certificates,
  dataKeys,
  isOwnedBy,
  keys,
  ownedBy,
} from './kinds.ts';
import { type Requester, whoAsks } from './requester.ts';
import { secretManager } from './secret-content.ts';
import { signingRequest } from './signing-request.ts';

export interface CertificateContext {
  kube: KubeClient;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  /** What the caches hold about a Certificate; undefined where there is none. */
  factsOf(key: string): CertificateFacts | undefined;
  tell(certificate: Certificate, event: CertificateEvent): void;
}

/** An issuance takes about six; more means that steps undo each other. */
const mostSteps = 20;

/**
 * Brings one Certificate to where it should be. Whether there is anything to do is read from the caches; what to do
 * is decided on a Certificate and Secrets read afresh, since a cache that lags behind our own writes would have us do
 * things twice. From there on each answer of the API server is the next fact.
 */
export class CertificateReconciler {
  readonly #context: CertificateContext;

  constructor(context: CertificateContext) {
    this.#context = context;
  }

  async reconcile(key: string): Promise<{ requeueAfterMs?: number | undefined }> {
    const { clock } = this.#context;
    const cached = this.#context.factsOf(key);
    if (!cached) return {};
    const glance = decideCertificate(cached, clock.now());
    if (!glance.step) return requeue(glance, clock.now());
    const { name, namespace } = splitKey(key);
    let facts = await this.#freshFacts(cached, name, namespace!);
    let applied: string | undefined;
    for (let steps = 0; facts && steps < mostSteps; steps++) {
      const decision = decideCertificate(facts, clock.now());
      const { step } = decision;
      if (!step) return requeue(decision, clock.now());
      if (step.do === 'apply secret') {
        if (applied !== undefined)
          throw unsettled(key, `the Secret was applied because ${applied}, and still ${step.because}`);
        applied = step.because;
      }
      facts = await this.#perform(step, facts);
    }
    if (!facts) return {};
    throw unsettled(key, `${mostSteps} steps were not enough`);
  }

  async #freshFacts(
    cached: CertificateFacts,
    name: string,
    namespace: string,
  ): Promise<CertificateFacts | undefined> {
    const { kube } = this.#context;
    const certificate = await kube.get<Certificate>(certificates, name, namespace);
    if (!certificate) return undefined;
    const secret = await kube.get<Secret>(secrets, certificate.spec.secretName, namespace);
    const keyName = certificate.status?.nextPrivateKeySecretName;
    const nextKey = keyName ? await kube.get<Secret>(secrets, keyName, namespace) : undefined;
    const requestKey = requestName(name, nextRevision(certificate));
    const request =
      keyName && !cached.requests.some(({ metadata }) => metadata.name === requestKey)
        ? await kube.get<CertificateRequest>(certificateRequests, requestKey, namespace)
        : undefined;
    const others = cached.nextKeys.filter(({ metadata }) => metadata.name !== keyName);
    return {
      ...cached,
      certificate,
      secret: secret && heldSecret(secret),
      requests: request && isOwnedBy(request, certificate) ? [...cached.requests, request] : cached.requests,
      nextKeys: nextKey && isOwnedBy(nextKey, certificate) ? [nextKey, ...others] : others,
    };
  }

  async #perform(step: CertificateStep, facts: CertificateFacts): Promise<CertificateFacts> {
    const { kube, log } = this.#context;
    const { name, namespace } = facts.certificate.metadata;
    log.debug('step', { certificate: `${namespace}/${name}`, step: step.do });
    switch (step.do) {
      case 'write status': {
        const certificate = await kube.replaceStatus<Certificate>(certificates, step.certificate);
        for (const event of step.events) {
          log.info(event.message, { certificate: `${namespace}/${name}`, reason: event.reason });
          this.#context.tell(certificate, event);
        }
        return { ...facts, certificate };
      }
      case 'store key':
        return this.#storeKey(step, facts);
      case 'delete keys': {
        await this.#remove(secrets, facts.nextKeys, step.names);
        for (const event of step.events ?? []) this.#context.tell(facts.certificate, event);
        return { ...facts, nextKeys: without(facts.nextKeys, step.names) };
      }
      case 'create request':
        return this.#createRequest(step, facts);
      case 'delete requests':
        await this.#remove(certificateRequests, facts.requests, step.names);
        return { ...facts, requests: without(facts.requests, step.names) };
      case 'apply secret': {
        log.info('applying Secret', { certificate: `${namespace}/${name}`, because: step.because });
        const secret = await kube.apply<Secret>(secrets, step.content, { manager: secretManager });
        return { ...facts, secret: heldSecret(secret) };
      }
    }
  }

  async #storeKey(
    step: CertificateStep & { do: 'store key' },
    facts: CertificateFacts,
  ): Promise<CertificateFacts> {
    const { certificate } = facts;
    const key = step.reuse ?? (await generateKeyAsync(step.spec, this.#context.entropy));
    const pem = writePrivateKey(key, 'pkcs8');
    const secret = await this.#context.kube.create<Secret>(secrets, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: step.name,
        namespace: certificate.metadata.namespace!,
        labels: { [keys.nextPrivateKey]: 'true', [keys.attention]: 'true' },
        ownerReferences: [ownedBy(certificate)],
      },
      type: 'Opaque',
      data: { [dataKeys.privateKey]: Buffer.from(pem).toString('base64') },
    });
    for (const event of step.events) this.#context.tell(certificate, event);
    return { ...facts, nextKeys: [...without(facts.nextKeys, [step.name]), secret] };
  }

  async #createRequest(
    step: CertificateStep & { do: 'create request' },
    facts: CertificateFacts,
  ): Promise<CertificateFacts> {
    const { certificate } = facts;
    const pem = await signingRequest(certificate.spec, step.key);
    try {
      const request = await this.#context.kube.create(
        certificateRequests,
        requestObject(step, certificate, pem, await whoAsks(this.#context.kube)),
      );
      const message = `Created new CertificateRequest resource ${JSON.stringify(step.name)}`;
      this.#context.tell(certificate, {
        type: 'Normal',
        reason: 'Requested',
        message,
        by: 'request-manager',
      });
      return { ...facts, requests: [...without(facts.requests, [step.name]), request] };
    } catch (error) {
      const message = `Failed to create CertificateRequest: ${describeError(error)}`;
      this.#context.tell(certificate, {
        type: 'Warning',
        reason: 'RequestFailed',
        message,
        by: 'request-manager',
      });
      throw error;
    }
  }

  async #remove(
    resource: typeof secrets,
    objects: readonly KubeObject[],
    names: readonly string[],
  ): Promise<void> {
    for (const { metadata } of objects.filter(({ metadata }) => names.includes(metadata.name))) {
      const { name, namespace, uid } = metadata;
      await this.#context.kube.delete(resource, name, namespace, uid === undefined ? {} : { uid });
    }
  }
}

function unsettled(key: string, how: string): Fault {
  return new Fault(`Certificate ${key} does not settle: ${how}`, {
    code: 'certmanager.certificate.unsettled',
    blame: 'capstan',
  });
}

/** Annotations that belong to the tools that wrote the Certificate. */
const toolAnnotations = ['kubectl.kubernetes.io/', 'fluxcd.io/', 'argocd.argoproj.io/'];

function requestObject(
  { name, revision, keySecretName }: CertificateStep & { do: 'create request' },
  certificate: Certificate,
  pem: string,
  requester: Requester,
): CertificateRequest {
  const { metadata, spec } = certificate;
  const copied = Object.entries(metadata.annotations ?? {}).filter(
    ([key]) => !toolAnnotations.some((prefix) => key.startsWith(prefix)),
  );
  return {
    apiVersion: certificate.apiVersion,
    kind: certificateRequests.kind,
    metadata: {
      name,
      namespace: metadata.namespace!,
      ...(metadata.labels ? { labels: metadata.labels } : {}),
      annotations: {
        ...Object.fromEntries(copied),
        [keys.revision]: String(revision),
        [keys.privateKeySecretName]: keySecretName,
        [keys.certificateName]: metadata.name,
      },
      ownerReferences: [ownedBy(certificate)],
    },
    spec: {
      request: Buffer.from(pem).toString('base64'),
      issuerRef: spec.issuerRef,
      // As Go writes it, whatever form the Certificate has it in.
      ...(spec.duration === undefined ? {} : { duration: formatDuration(parseDuration(spec.duration)) }),
      ...(spec.isCA === undefined ? {} : { isCA: spec.isCA }),
      ...(spec.usages === undefined ? {} : { usages: spec.usages }),
      ...requester,
    },
  };
}

function requeue({ lookAgainAtMs }: CertificateDecision, nowMs: number): { requeueAfterMs?: number } {
  return lookAgainAtMs === undefined ? {} : { requeueAfterMs: Math.max(0, lookAgainAtMs - nowMs) };
}

function without<T extends KubeObject>(objects: readonly T[], names: readonly string[]): T[] {
  return objects.filter(({ metadata }) => !names.includes(metadata.name));
}
