import {
  type ChallengeType,
  keyAuthorization,
  keyAuthorizationDigest,
} from '../../authority/acme/authorization.ts';
import type { Identifier } from '../../authority/acme/identifier.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import { minuteMs, secondMs } from '../../base/duration.ts';
import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { type Certificate, readCertificates } from '../../x509/certificate.ts';
import { subjectAltName } from '../../x509/extension.ts';
import { generateKeyAsync, type KeySpec, type PrivateKey, samePublicKey } from '../../x509/key.ts';
import { emptyName } from '../../x509/name.ts';
import { buildRequest } from '../../x509/request.ts';
import { signerOf } from '../../x509/signature.ts';
import type { ChallengeAnswer, ChallengeAnswers } from '../http/challenge-answers.ts';
import { failureOf } from './acme-fault.ts';
import { type AcmeReply, type AcmeSession, unreadable } from './acme-session.ts';
import {
  type AuthorizationView,
  type ChallengeView,
  nextOrderStep,
  type OrderView,
  readAuthorization,
  readOrder,
} from './order-plan.ts';
import { handshakeAnswer } from './self-signed.ts';

export interface CertificateOrder {
  names: readonly Identifier[];
  keySpec: KeySpec;
  challengeType: ChallengeType;
  /** The certificate that this one is to take the place of, as RFC 9773 names it. */
  replaces: string | undefined;
}

export interface OrderWorld {
  session: AcmeSession;
  answers: ChallengeAnswers;
  clock: Clock;
  entropy: Entropy;
  signal: AbortSignal;
}

export interface Ordered {
  /** The chain as the CA gave it: PEM, the server's own first. */
  chain: string;
  key: PrivateKey;
}

const pollMs = { least: secondMs, most: 30 * secondMs };
const patienceMs = 10 * minuteMs;

/** Where a CA comes to look for a proof. */
const proofPorts: Readonly<Record<ChallengeType, string>> = {
  'tls-alpn-01': 'port 443',
  'http-01': 'port 80',
  'dns-01': 'DNS',
};

/**
 * Orders a certificate, proves what the CA asks for, and fetches it.
 *
 * @throws AcmeRefusal, Fault `vault.acme-client.*`, `wire.request.*`
 */
export async function orderCertificate(order: CertificateOrder, world: OrderWorld): Promise<Ordered> {
  const { session } = world;
  const made = await session.post('take the order', session.directory.newOrder, {
    identifiers: order.names,
    ...(order.replaces === undefined ? {} : { replaces: order.replaces }),
  });
  const proving = new Proving(order, world);
  try {
    return await carryOut(made, proving, order, world);
  } finally {
    proving.end();
  }
}

async function carryOut(
  made: AcmeReply,
  proving: Proving,
  { names, keySpec, challengeType }: CertificateOrder,
  { session, clock, entropy, signal }: OrderWorld,
): Promise<Ordered> {
  if (made.location === undefined) throw unreadable('the order that the ACME server made has no URL');
  const untilMs = clock.now() + patienceMs;
  let key: PrivateKey | undefined;
  for (let reply = made; ; ) {
    const order = readOrder(reply.body);
    const authorizations = await openAuthorizations(order, session);
    const step = nextOrderStep({ order, authorizations, started: proving.started, challengeType });
    switch (step.act) {
      case 'prove':
        await proving.start(step.identifier, step.challenge);
        continue;
      case 'finalize':
        key = await generateKeyAsync(keySpec, entropy);
        reply = await session.post('sign the certificate', order.finalize, { csr: await csrOf(names, key) });
        if (['valid', 'invalid'].includes(String(reply.body.status))) continue;
        break;
      case 'download': {
        if (!key) throw unreadable('the order has a certificate that nobody asked for');
        const { text } = await session.post('show the certificate', step.url);
        checkChain(text, key, names);
        return { chain: text, key };
      }
      case 'give up':
        throw failureOf(step.why, step.problem, fixOf(step.of, challengeType));
      case 'wait':
    }
    if (clock.now() >= untilMs) throw tooSlow(authorizations, challengeType);
    const waitMs = Math.min(Math.max(reply.retryAfterMs ?? 0, pollMs.least), pollMs.most);
    await sleep(clock, waitMs, signal);
    signal.throwIfAborted();
    reply = await session.post('show the order', made.location);
  }
}

function fixOf(of: 'order' | 'challenge', type: ChallengeType): string {
  if (of === 'order') return 'ask who runs that server';
  return `let ${proofPorts[type]} of the name lead to this server, or correct tls_acme_domains`;
}

/** Those that an order which needs them has; a CA may have kept some from before. */
async function openAuthorizations(
  { status, authorizations }: OrderView,
  session: AcmeSession,
): Promise<AuthorizationView[]> {
  if (status !== 'pending' && status !== 'invalid') return [];
  const found: AuthorizationView[] = [];
  for (const url of authorizations) {
    found.push(readAuthorization((await session.post('show what is to be proven', url)).body));
  }
  return found;
}

/** The challenges of one order, and what answers them until it is over. */
class Proving {
  readonly started = new Set<string>();
  readonly #ends: (() => void)[] = [];
  readonly #type: ChallengeType;
  readonly #world: OrderWorld;

  constructor({ challengeType }: CertificateOrder, world: OrderWorld) {
    this.#type = challengeType;
    this.#world = world;
  }

  async start(identifier: Identifier, challenge: ChallengeView): Promise<void> {
    const { session, answers } = this.#world;
    this.#ends.push(answers.add(await this.#answer(identifier, challenge)));
    this.started.add(challenge.url);
    await session.post(`try ${challenge.type} for ${identifier.value}`, challenge.url, {});
  }

  async #answer(identifier: Identifier, challenge: ChallengeView): Promise<ChallengeAnswer> {
    const { session, clock, entropy } = this.#world;
    if (this.#type === 'http-01') {
      const { token } = challenge;
      return { type: 'http-01', token, keyAuthorization: keyAuthorization(challenge, session.thumbprint) };
    }
    const digest = keyAuthorizationDigest(challenge, session.thumbprint);
    return handshakeAnswer(identifier, digest, { nowMs: clock.now(), entropy });
  }

  end(): void {
    for (const end of this.#ends.splice(0)) end();
  }
}

async function csrOf(names: readonly Identifier[], key: PrivateKey): Promise<string> {
  const template = { subject: emptyName, extensions: [subjectAltName(names)] };
  return (await buildRequest(template, signerOf(key))).der.toString('base64url');
}

/** @throws Fault `vault.acme-client.answer` for what a server could not show under its names */
function checkChain(chain: string, key: PrivateKey, names: readonly Identifier[]): void {
  let leaf: Certificate | undefined;
  try {
    [leaf] = readCertificates(chain);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw unreadable(`the certificate of the ACME server is none: ${error.message}`);
  }
  if (!leaf || !samePublicKey(leaf.publicKey, key.publicKey)) {
    throw unreadable('the certificate of the ACME server is for another key');
  }
  const held = new Set(
    leaf.subjectAltNames.map((name) =>
      name.type === 'dns' || name.type === 'ip' ? `${name.type}:${name.value.toLowerCase()}` : '',
    ),
  );
  const missing = names.find(({ type, value }) => !held.has(`${type}:${value}`));
  if (missing) throw unreadable(`the certificate of the ACME server is not for ${missing.value}`);
}

/** A CA may try a proof again and again; what the last try ended in is told. */
function tooSlow(authorizations: readonly AuthorizationView[], type: ChallengeType): Fault {
  const within = `within ${patienceMs / minuteMs} minutes`;
  for (const { identifier, challenges } of authorizations) {
    const tried = challenges.find(({ error }) => error !== undefined && error !== null);
    if (!tried) continue;
    const what = `${identifier.value} could not be proven by ${tried.type} ${within}`;
    return failureOf(what, tried.error, fixOf('challenge', type));
  }
  return new Fault(`the ACME server has not certified the order ${within}`, {
    code: 'vault.acme-client.slow',
    blame: 'peer',
  });
}
