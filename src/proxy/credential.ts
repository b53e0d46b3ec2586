import { type Clock, sleep } from '../base/clock.ts';
import { dayMs, secondMs } from '../base/duration.ts';
import type { Entropy } from '../base/entropy.ts';
import { describeError, Fault } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import type { CertifyRequest, CertifyResponse } from '../wire/grpc-identity.ts';
import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { subjectAltName } from '../x509/extension.ts';
import { generateKey, type PrivateKey, samePublicKey } from '../x509/key.ts';
import { nameOf } from '../x509/name.ts';
import { buildRequest } from '../x509/request.ts';
import { signerOf } from '../x509/signature.ts';
import { verifyChain } from '../x509/verify.ts';
import { identityNames } from './peer.ts';
import type { TrustAnchors } from './trust-anchors.ts';

/** What a workload presents: its leaf, the chain behind it, and the key that never leaves this process. */
export interface Credential {
  /** The leaf first. */
  chain: readonly Certificate[];
  key: PrivateKey;
  validUntilMs: number;
}

export interface CredentialSource {
  /** Undefined before the first one, and once the last one has ended. */
  current(): Credential | undefined;
  /** Told after each change. */
  onChange(listener: (credential: Credential) => void): void;
}

export interface CredentialKeeper extends CredentialSource {
  /** Resolves with the first credential; rejects with `proxy.credential.stopped` where it was stopped before. */
  first: Promise<Credential>;
}

export type CredentialEvent =
  | { event: 'certified' | 'renewed'; credential: Credential }
  | { event: 'renewal-failed'; reason: string };

export interface CredentialOptions {
  /** The name to be certified. */
  identity: string;
  /** The service-account token as it is now: asked for anew for every request. */
  readToken(): Promise<Buffer>;
  certify(request: CertifyRequest, signal: AbortSignal): Promise<CertifyResponse>;
  anchors: TrustAnchors;
  /** Judges certificates, and says when to renew. */
  clock: Clock;
  /** Real time: keeps failing requests apart, however fast `clock` runs. */
  pace: Clock;
  entropy: Entropy;
  log: Log;
  signal: AbortSignal;
  refresh?: RefreshLimits;
  onEvent?(event: CredentialEvent): void;
}

export interface RefreshLimits {
  minMs: number;
  maxMs: number;
}

/** linkerd2-proxy's defaults (LINKERD2_PROXY_IDENTITY_MIN_REFRESH and _MAX_REFRESH). */
export const defaultRefresh: RefreshLimits = { minMs: 10 * secondMs, maxMs: dayMs };

const refreshAtShare = 0.7;
/** Between two requests where the first failed, in real time. */
const failurePaceMs = 200;

/**
 * Milliseconds until the next request: 70 % of what is left of the current credential, within the limits; the
 * least where there is none. After a failure the same rule holds, so retries come closer together towards the end.
 */
export function refreshInMs(
  validUntilMs: number | undefined,
  nowMs: number,
  limits = defaultRefresh,
): number {
  const left = validUntilMs === undefined ? 0 : (validUntilMs - nowMs) * refreshAtShare;
  return Math.min(limits.maxMs, Math.max(limits.minMs, left));
}

/**
 * Keeps a workload certified, as linkerd2-proxy does it, with a new key for every request. Whatever goes wrong, the
 * last good credential is kept to its own end. Also asks anew when the trust anchors change so that the leaf no
 * longer chains to them.
 */
export function keepCredential(options: CredentialOptions): CredentialKeeper {
  const { identity, anchors, clock, pace, log, signal, refresh = defaultRefresh } = options;
  const first = Promise.withResolvers<Credential>();
  first.promise.catch(() => {});
  const listeners = new Set<(credential: Credential) => void>();
  let last: Credential | undefined;
  let wake = new AbortController();

  function adopt(credential: Credential): void {
    const event = last ? 'renewed' : 'certified';
    last = credential;
    const validUntil = new Date(credential.validUntilMs).toISOString();
    log.info(event === 'renewed' ? 'identity renewed' : 'identity certified', { identity, validUntil });
    first.resolve(credential);
    for (const listener of listeners) listener(credential);
    options.onEvent?.({ event, credential });
  }

  async function attempt(): Promise<boolean> {
    try {
      adopt(await requestCredential(options));
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      const reason = describeError(error);
      log.warn('certification failed', { identity, reason });
      options.onEvent?.({ event: 'renewal-failed', reason });
      return false;
    }
  }

  async function keep(): Promise<void> {
    while (!signal.aborted) {
      wake = new AbortController();
      if (!(await attempt())) await sleep(pace, failurePaceMs, signal);
      const delayMs = refreshInMs(last?.validUntilMs, clock.now(), refresh);
      await sleep(clock, delayMs, AbortSignal.any([signal, wake.signal]));
    }
    first.reject(
      new Fault(`${identity} was stopped before it was certified`, {
        code: 'proxy.credential.stopped',
        blame: 'operator',
      }),
    );
  }

  anchors.onChange(() => {
    if (last && problemWith(last.chain, anchors.current(), clock.now()) !== undefined) wake.abort();
  });
  void keep();
  return {
    first: first.promise,
    current: () => (last && last.validUntilMs > clock.now() ? last : undefined),
    onChange: (listener) => void listeners.add(listener),
  };
}

/** One request from the new key to the judged answer. */
async function requestCredential(options: CredentialOptions): Promise<Credential> {
  const { identity, anchors, clock, entropy, signal } = options;
  const key = generateKey({ type: 'ec', curve: 'P-256' }, entropy);
  const request = await buildRequest(
    {
      subject: nameOf({ commonName: identity }),
      extensions: [subjectAltName([{ type: 'dns', value: identity }])],
    },
    signerOf(key),
  );
  const token = await options.readToken();
  const response = await options.certify({ identity, token, certificateSigningRequest: request.der }, signal);
  return judgeCredential(response, { identity, key, roots: anchors.current(), at: clock.now() });
}

/**
 * The credential that an answer makes, if it is one that peers will accept.
 *
 * @throws Fault `proxy.credential.refused`, or `x509.*` where a certificate cannot be read
 */
export function judgeCredential(
  response: CertifyResponse,
  facts: { identity: string; key: PrivateKey; roots: readonly Certificate[]; at: number },
): Credential {
  const { identity, key, roots, at } = facts;
  const { leafCertificate, intermediateCertificates, validUntilMs } = response;
  if (validUntilMs === undefined) throw refused('the answer does not say until when it is valid');
  if (validUntilMs <= at) throw refused('the certificate has already expired');
  const chain = [leafCertificate, ...intermediateCertificates].map((der) => readCertificate(der));
  const leaf = chain[0]!;
  if (!samePublicKey(leaf.publicKey, key.publicKey)) throw refused('the certificate is for another key');
  if (!identityNames(leaf).includes(identity)) {
    throw refused(`the certificate is for ${identityNames(leaf).join(', ') || 'nobody'}, not ${identity}`);
  }
  const problem = problemWith(chain, roots, at);
  if (problem !== undefined) throw refused(problem);
  return { chain, key, validUntilMs: Math.min(validUntilMs, leaf.notAfter) };
}

/** Why peers would not accept the chain, as a server's or as a client's. */
function problemWith(
  [leaf, ...intermediates]: readonly Certificate[],
  roots: readonly Certificate[],
  at: number,
): string | undefined {
  for (const usage of ['server auth', 'client auth'] as const) {
    const verdict = verifyChain(leaf!, { roots, intermediates, at, usage });
    if (!verdict.valid) return verdict.reason;
  }
  return undefined;
}

function refused(reason: string): Fault {
  return new Fault(`what identity issued is of no use: ${reason}`, {
    code: 'proxy.credential.refused',
    blame: 'peer',
  });
}
