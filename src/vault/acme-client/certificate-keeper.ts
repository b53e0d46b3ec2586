import type { ChallengeType } from '../../authority/acme/authorization.ts';
import type { Identifier } from '../../authority/acme/identifier.ts';
import { certificateName } from '../../authority/acme/renewal-info.ts';
import { type Clock, sleep } from '../../base/clock.ts';
import type { Entropy } from '../../base/entropy.ts';
import { describeError, Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import type { HttpClient } from '../../wire/http-client.ts';
import { serialText } from '../../x509/certificate.ts';
import {
  generateKey,
  type KeySpec,
  type PrivateKey,
  readPrivateKey,
  writePrivateKey,
} from '../../x509/key.ts';
import type { ChallengeAnswers, ProofCertificate } from '../http/challenge-answers.ts';
import { AcmeRefusal } from './acme-fault.ts';
import { AcmeSession, type NewAccount } from './acme-session.ts';
import { accountSigner } from './jws-signing.ts';
import {
  accountFile,
  certificateFile,
  certificateText,
  type FileCache,
  type KeptCertificate,
  readCertificateText,
} from './kept-files.ts';
import { orderCertificate } from './order-certificate.ts';
import {
  type Failures,
  failedAgain,
  isOver,
  nextRenewalStep,
  readSuggestion,
  retryAtMs,
  type Suggestion,
  unasked,
  unsuggested,
} from './renewal-plan.ts';
import { standIn } from './self-signed.ts';

export interface KeeperSettings extends NewAccount {
  /** The URL of the CA's directory. */
  directory: string;
  /** At least one. */
  names: readonly Identifier[];
  keySpec: KeySpec;
  /** At least one; the next is tried where one was refused. */
  challengeTypes: readonly ChallengeType[];
}

export interface KeeperWorld {
  clock: Clock;
  entropy: Entropy;
  log: Log;
  cache: FileCache;
  answers: ChallengeAnswers;
  /**
   * A client of the CA. Where it is told whom to trust it trusts `own`, PEM, as well: what this server shows itself
   * until it is certified, should it be its own CA. May throw a Fault.
   */
  connect: (own: string) => HttpClient;
}

/**
 * Keeps a certificate by ACME: from its cache, else a self-signed one until a CA has certified the names; renewed in
 * time. Nothing that goes wrong ends it.
 */
export class CertificateKeeper {
  readonly #settings: KeeperSettings;
  readonly #world: KeeperWorld;
  readonly #standIn: ProofCertificate;
  readonly #stopping = new AbortController();
  #held: KeptCertificate | undefined;
  #suggestion: Suggestion | undefined;
  #failures: Failures | undefined;
  /** Where in a suggested window this certificate is renewed, from 0 to 1. */
  #share = 0;
  #waiting = new AbortController();
  #running: Promise<void> = Promise.resolve();

  static async on(settings: KeeperSettings, world: KeeperWorld): Promise<CertificateKeeper> {
    const { clock, entropy } = world;
    return new CertificateKeeper(
      settings,
      world,
      await standIn(settings.names, { nowMs: clock.now(), entropy }),
    );
  }

  private constructor(settings: KeeperSettings, world: KeeperWorld, own: ProofCertificate) {
    this.#settings = settings;
    this.#world = world;
    this.#standIn = own;
    const kept = this.#cached(this.#certificateFile, readCertificateText);
    if (kept) this.#hold(kept);
  }

  /** What to serve now. */
  material(): ProofCertificate {
    const held = this.#held;
    if (!held || isOver(held.certificate, this.#world.clock.now())) return this.#standIn;
    return { cert: held.chain, key: held.key };
  }

  /** `onChange`: `material` is another from now on. */
  start(onChange: () => void): void {
    this.#running = this.#run(onChange);
  }

  /** Tries at once what it waits to try again. */
  retry(): void {
    this.#failures = undefined;
    this.#waiting.abort();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#waiting.abort();
    await this.#running;
  }

  async #run(onChange: () => void): Promise<void> {
    while (!this.#stopping.signal.aborted) {
      const { clock } = this.#world;
      const before = this.material();
      const facts = {
        held: this.#held?.certificate,
        suggestion: this.#suggestion,
        failures: this.#failures,
      };
      const step = nextRenewalStep(facts, clock.now());
      if (step.act === 'order') await this.#order();
      else if (step.act === 'ask') await this.#ask();
      else {
        this.#waiting = new AbortController();
        await sleep(clock, step.untilMs - clock.now(), this.#waiting.signal);
      }
      if (this.material().cert !== before.cert) onChange();
    }
  }

  async #order(): Promise<void> {
    const { clock, entropy, log, answers } = this.#world;
    const { names, keySpec } = this.#settings;
    try {
      await this.#withSession(async (session) => {
        await session.enter(this.#settings);
        const order = {
          ...{ names, keySpec, challengeType: this.#challengeType() },
          replaces: session.directory.renewalInfo ? this.#replaced() : undefined,
        };
        const world = { session, answers, clock, entropy, signal: this.#stopping.signal };
        const { chain, key } = await orderCertificate(order, world);
        const text = certificateText(chain, key);
        this.#hold(readCertificateText(text));
        this.#keep(this.#certificateFile, text);
      });
      const { serial, notAfter } = this.#held!.certificate;
      log.info('a certificate came by ACME', {
        names: names.map(({ value }) => value),
        serial: serialText(serial),
        notAfter: new Date(notAfter).toISOString(),
      });
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#failed(error);
    }
  }

  #challengeType(): ChallengeType {
    const { challengeTypes } = this.#settings;
    const refused = this.#failures?.kind === 'refused' ? this.#failures.count : 0;
    return challengeTypes[refused % challengeTypes.length]!;
  }

  /** Not again where that may be what was refused. */
  #replaced(): string | undefined {
    const certificate = this.#held?.certificate;
    return this.#failures || !certificate?.authorityKeyId ? undefined : certificateName(certificate);
  }

  #failed(error: unknown): void {
    const { clock, log } = this.#world;
    const failures = failedAgain(this.#failures, {
      kind: isAway(error) ? 'away' : 'refused',
      lastMs: clock.now(),
      retryAfterMs: error instanceof AcmeRefusal ? error.retryAfterMs : undefined,
    });
    this.#failures = failures;
    log.warn('no certificate came by ACME', {
      names: this.#settings.names.map(({ value }) => value),
      error: describeError(error),
      failures: failures.count,
      nextTry: new Date(retryAtMs(failures)).toISOString(),
    });
  }

  /** When the CA would have the certificate renewed. */
  async #ask(): Promise<void> {
    const { clock, log } = this.#world;
    const name = certificateName(this.#held!.certificate);
    try {
      await this.#withSession(async (session) => {
        const { renewalInfo } = session.directory;
        const nowMs = clock.now();
        this.#suggestion = renewalInfo
          ? readSuggestion(
              await session.get('tell when to renew', `${renewalInfo.replace(/\/$/, '')}/${name}`),
              {
                share: this.#share,
                nowMs,
              },
            )
          : unsuggested(nowMs);
      });
    } catch (error) {
      this.#suggestion = unasked(this.#suggestion, clock.now());
      log.debug('the ACME server does not tell when to renew', { error: describeError(error) });
    }
  }

  async #withSession(act: (session: AcmeSession) => Promise<void>): Promise<void> {
    const { signal } = this.#stopping;
    const http = this.#world.connect(this.#standIn.cert);
    try {
      const signer = accountSigner(this.#accountKey().key);
      await act(await AcmeSession.open(this.#settings.directory, { http, signer, signal }));
    } finally {
      http.close();
    }
  }

  /** Kept before it is used: an account whose key is lost is lost. */
  #accountKey(): PrivateKey {
    const { directory, email, binding } = this.#settings;
    const file = accountFile(directory, email, binding?.keyId ?? '');
    const kept = this.#cached(file, readPrivateKey);
    if (kept) return kept;
    const key = generateKey({ type: 'ec', curve: 'P-256' }, this.#world.entropy);
    this.#world.cache.write(file, writePrivateKey(key, 'pkcs8'));
    return key;
  }

  get #certificateFile(): string {
    const { directory, names, keySpec } = this.#settings;
    return certificateFile(directory, names, keySpec);
  }

  #hold(certificate: KeptCertificate): void {
    this.#held = certificate;
    this.#suggestion = undefined;
    this.#failures = undefined;
    this.#share = this.#world.entropy.bytes(4).readUInt32BE() / 2 ** 32;
  }

  #cached<T>(file: string, read: (text: string) => T): T | undefined {
    const { cache, log } = this.#world;
    try {
      const text = cache.read(file);
      return text === undefined ? undefined : read(text);
    } catch (error) {
      log.warn('what was kept of ACME cannot be used', { file, error: describeError(error) });
      return undefined;
    }
  }

  /** What cannot be kept is served all the same. */
  #keep(file: string, text: string): void {
    const { cache, log } = this.#world;
    try {
      cache.write(file, text);
    } catch (error) {
      log.error('a certificate by ACME cannot be kept: a restart will order another', {
        file,
        error: describeError(error),
      });
    }
  }
}

/** Whether nobody answered who could have refused, or nobody was there to ask in the first place. */
function isAway(error: unknown): boolean {
  if (error instanceof AcmeRefusal) return error.status !== undefined && error.status >= 500;
  return (
    error instanceof Fault && !['vault.acme-client.answer', 'vault.acme-client.slow'].includes(error.code)
  );
}
