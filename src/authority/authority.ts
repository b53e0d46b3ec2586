import type { Clock } from '../base/clock.ts';
import { type Entropy, uuid } from '../base/entropy.ts';
import { Fault } from '../base/fault.ts';
import type { Batch, Store } from '../store/store.ts';
import {
  buildCertificate,
  type Certificate,
  newSerial,
  readCertificate,
  serialText,
} from '../x509/certificate.ts';
import { generateKeyAsync, type KeySpec } from '../x509/key.ts';
import { type CertificateRequest, requestIsSelfConsistent } from '../x509/request.ts';
import { signerOf } from '../x509/signature.ts';
import type { AiaUrls, CaRequest } from './ca-request.ts';
import { crlKeeper } from './crl.ts';
import {
  defaultKeyId,
  findIssuer,
  findKey,
  type Holdings,
  keysBelow,
  nothing,
  readHoldings,
  type Settings,
} from './holdings.ts';
import { type CaKey, type Issuer, writeIssuer, writeKey } from './issuer.ts';
import { type Circumstances, type IntermediateRequest, planIntermediate, planRoot } from './issuing-rules.ts';
import { checkKeySpec, checkName, checkRequestKey } from './key-rules.ts';
import { refused } from './refused.ts';
import { type Roles, storedRoles } from './roles.ts';
import type { TtlLimits } from './validity.ts';

export type SignatureHash = 'SHA-256' | 'SHA-384' | 'SHA-512';

export interface RootRequest extends CaRequest {
  /** A new key of this kind, or one that is there, by its reference. */
  key: { generate: KeySpec } | { existing: string };
  issuerName: string;
  keyName: string;
  /** Undefined for the hash that goes with the key. */
  hash: SignatureHash | undefined;
}

export interface GeneratedRoot {
  issuer: Issuer;
  key: CaKey;
  warnings: readonly string[];
}

export interface SignedIntermediate {
  certificate: Certificate;
  /** The issuer's certificate and what is above it, a known root included. */
  chain: readonly Certificate[];
  warnings: readonly string[];
}

/** What stands in where a request names no issuer or no key. */
export interface Defaults {
  /** Undefined while there is none. */
  issuerId: string | undefined;
  /** Whether each new issuer becomes the default one. */
  followsLatestIssuer: boolean;
  keyId: string | undefined;
}

export interface DefaultsChange {
  issuer?: string;
  followsLatestIssuer?: boolean;
  key?: string;
}

/** A certification authority, whatever protocol speaks for it. What its calls answer is durable by then. */
export interface Authority {
  readonly roles: Roles;
  /** @throws Fault `authority.*` for what the rules refuse */
  generateRoot(request: RootRequest): Promise<GeneratedRoot>;
  /** `issuer`: `default`, an id or a name. */
  signIntermediate(
    issuer: string,
    request: IntermediateRequest & { hash: SignatureHash | undefined },
    csr: CertificateRequest,
  ): Promise<SignedIntermediate>;
  issuers(): readonly Issuer[];
  /** @throws Fault `authority.issuer.absent` */
  issuer(reference: string): Issuer;
  chain(issuer: Issuer): readonly Certificate[];
  keys(): readonly CaKey[];
  /** @throws Fault `authority.key.absent` */
  key(reference: string): CaKey;
  defaults(): Defaults;
  /** Changes what `change` holds; references as `issuer` and `key` take them. */
  setDefaults(change: DefaultsChange): Promise<void>;
  urls(): AiaUrls;
  setUrls(urls: AiaUrls): Promise<void>;
  /** An issued certificate; `serial` in hexadecimal, parted by colons, dashes or nothing. */
  certificate(serial: string): Promise<Certificate | undefined>;
  /** Colon-parted serials in order. */
  serials(range: { after?: string; limit?: number }): Promise<string[]>;
  /** The issuer's CRL, DER: signed anew where it would soon be out of date. */
  crl(issuer: string): Promise<Buffer>;
  /** Signs every issuer's CRL anew. */
  rotateCrls(): Promise<void>;
}

export interface AuthorityOptions {
  store: Store;
  /** Everything of this authority is below it. */
  prefix: string;
  clock: Clock;
  entropy: Entropy;
  limits: () => TtlLimits;
  /** What must hold in the store for anything written here to count. */
  guard: () => { key: string; revision: number };
}

/** More conflicts than this in a row mean that something else is wrong. */
const attemptLimit = 10;

export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  return new StoredAuthority(options, await readHoldings(options.store, options.prefix, nothing));
}

class StoredAuthority implements Authority {
  readonly roles: Roles;
  readonly #options: AuthorityOptions;
  readonly #at: ReturnType<typeof keysBelow>;
  readonly #crls: ReturnType<typeof crlKeeper>;
  #holdings: Holdings;
  /** Readings follow one another, so that none puts back what a later one has seen. */
  #reading: Promise<void> = Promise.resolve();

  constructor(options: AuthorityOptions, holdings: Holdings) {
    this.#options = options;
    this.roles = storedRoles(options);
    this.#at = keysBelow(options.prefix);
    this.#crls = crlKeeper({ ...options, keyOf: this.#at.crl });
    this.#holdings = holdings;
  }

  async generateRoot(request: RootRequest): Promise<GeneratedRoot> {
    const { entropy } = this.#options;
    const wanted = request.key;
    if ('generate' in wanted) checkKeySpec(wanted.generate);
    const made = 'generate' in wanted ? await generateKeyAsync(wanted.generate, entropy) : undefined;
    const ids = { issuer: uuid(entropy), key: uuid(entropy) };
    const result = await this.#decideAndCommit(async (from) => {
      checkName('issuer', request.issuerName, from.issuers);
      if (made) checkName('key', request.keyName, from.keys);
      const key = made
        ? { id: ids.key, name: request.keyName, privateKey: made, revision: 0 }
        : findKey(from, (wanted as { existing: string }).existing);
      const plan = planRoot(request, key.privateKey.publicKey, this.#circumstances(from));
      const certificate = await buildCertificate(plan.template, signerOf(key.privateKey, request.hash));
      const issuer: Issuer = {
        id: ids.issuer,
        name: request.issuerName,
        keyId: key.id,
        certificate,
        leafNotAfterBehavior: 'err',
        revision: 0,
      };
      const record = this.#record(certificate);
      const batch: Batch = {
        expect: [this.#settingsAsIn(from), ...record.expect],
        puts: [
          ...record.puts,
          { key: this.#at.issuer(issuer.id), value: writeIssuer(issuer) },
          ...(made ? [{ key: this.#at.key(key.id), value: writeKey(key) }] : []),
          this.#putSettings(withDefaults(from, issuer)),
        ],
      };
      return { batch, result: { issuer, key, warnings: plan.warnings } };
    });
    await this.#reload();
    return result;
  }

  async signIntermediate(
    reference: string,
    request: IntermediateRequest & { hash: SignatureHash | undefined },
    csr: CertificateRequest,
  ): Promise<SignedIntermediate> {
    checkRequestKey(csr);
    if (!requestIsSelfConsistent(csr)) throw refused('request.signature', 'request signature invalid');
    return this.#decideAndCommit(async (from) => {
      const issuer = findIssuer(from, reference);
      const { privateKey } = findKey(from, issuer.keyId);
      const plan = planIntermediate(request, csr, issuer.certificate, this.#circumstances(from));
      const certificate = await buildCertificate(plan.template, signerOf(privateKey, request.hash));
      const record = this.#record(certificate);
      const expect = [
        { key: this.#at.issuer(issuer.id), revision: issuer.revision },
        this.#settingsAsIn(from),
        ...record.expect,
      ];
      const result = { certificate, chain: from.chains(issuer), warnings: plan.warnings };
      return { batch: { expect, puts: record.puts }, result };
    });
  }

  issuers(): readonly Issuer[] {
    return this.#holdings.issuers;
  }

  issuer(reference: string): Issuer {
    return findIssuer(this.#holdings, reference);
  }

  chain(issuer: Issuer): readonly Certificate[] {
    return this.#holdings.chains(issuer);
  }

  keys(): readonly CaKey[] {
    return this.#holdings.keys;
  }

  key(reference: string): CaKey {
    return findKey(this.#holdings, reference);
  }

  defaults(): Defaults {
    const { defaultIssuerId, defaultFollowsLatestIssuer = false } = this.#holdings.settings;
    return {
      issuerId: defaultIssuerId,
      followsLatestIssuer: defaultFollowsLatestIssuer,
      keyId: defaultKeyId(this.#holdings),
    };
  }

  setDefaults({ issuer, followsLatestIssuer, key }: DefaultsChange): Promise<void> {
    return this.#changeSettings((from) => {
      // Said, so that it does not change with the default issuer.
      const keyId = key === undefined ? defaultKeyId(from) : findKey(from, key).id;
      return {
        ...from.settings,
        ...(issuer === undefined ? {} : { defaultIssuerId: findIssuer(from, issuer).id }),
        ...(followsLatestIssuer === undefined ? {} : { defaultFollowsLatestIssuer: followsLatestIssuer }),
        ...(keyId === undefined ? {} : { defaultKeyId: keyId }),
      };
    });
  }

  urls(): AiaUrls {
    return this.#holdings.settings.urls;
  }

  setUrls(urls: AiaUrls): Promise<void> {
    return this.#changeSettings(({ settings }) => ({ ...settings, urls }));
  }

  async certificate(serial: string): Promise<Certificate | undefined> {
    const entry = await this.#options.store.get(this.#at.certificate(storedSerial(serial)));
    return entry && readCertificate(entry.value);
  }

  async serials({ after, limit }: { after?: string; limit?: number }): Promise<string[]> {
    const prefix = this.#at.certificates;
    const entries = await this.#options.store.list({
      prefix,
      ...(after ? { after: this.#at.certificate(storedSerial(after)) } : {}),
      ...(limit ? { limit } : {}),
    });
    return entries.map(({ key }) => key.slice(prefix.length).replaceAll('-', ':'));
  }

  async crl(reference: string): Promise<Buffer> {
    const issuer = this.issuer(reference);
    return this.#crls.current(issuer, findKey(this.#holdings, issuer.keyId));
  }

  async rotateCrls(): Promise<void> {
    for (const issuer of this.#holdings.issuers) {
      await this.#crls.renew(issuer, findKey(this.#holdings, issuer.keyId));
    }
  }

  async #changeSettings(decide: (from: Holdings) => Settings): Promise<void> {
    await this.#decideAndCommit(async (from) => ({
      batch: { expect: [this.#settingsAsIn(from)], puts: [this.#putSettings(decide(from))] },
      result: undefined,
    }));
    await this.#reload();
  }

  /** Decides, and writes what was decided unless what it was decided from has changed; then it decides again. */
  async #decideAndCommit<T>(decide: (from: Holdings) => Promise<{ batch: Batch; result: T }>): Promise<T> {
    const { store, guard } = this.#options;
    for (let attempt = 1; ; attempt++) {
      const { batch, result } = await decide(this.#holdings);
      try {
        await store.commit({ ...batch, expect: [guard(), ...(batch.expect ?? [])] });
        return result;
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'store.conflict' || attempt === attemptLimit)
          throw error;
        await this.#reload();
      }
    }
  }

  #reload(): Promise<void> {
    const { store, prefix } = this.#options;
    const read = async () => {
      this.#holdings = await readHoldings(store, prefix, this.#holdings);
    };
    this.#reading = this.#reading.then(read, read);
    return this.#reading;
  }

  #circumstances(from: Holdings): Circumstances {
    const { limits, clock, entropy } = this.#options;
    return { urls: from.settings.urls, limits: limits(), nowMs: clock.now(), serial: newSerial(entropy) };
  }

  /** A serial that is taken fails the whole batch, and another is drawn. */
  #record(certificate: Certificate) {
    const key = this.#at.certificate(storedSerial(serialText(certificate.serial)));
    return { expect: [{ key, revision: 0 }], puts: [{ key, value: certificate.der }] };
  }

  #settingsAsIn(from: Holdings) {
    return { key: this.#at.settings, revision: from.settingsRevision };
  }

  #putSettings(settings: Settings) {
    return { key: this.#at.settings, value: Buffer.from(JSON.stringify(settings)) };
  }
}

/** The first issuer and its key are the default ones and stay so, unless the default is to follow the latest. */
function withDefaults(from: Holdings, latest: Issuer): Settings {
  const { settings } = from;
  const keepsIssuer = settings.defaultIssuerId !== undefined && !settings.defaultFollowsLatestIssuer;
  return {
    ...settings,
    ...(keepsIssuer ? {} : { defaultIssuerId: latest.id }),
    defaultKeyId: defaultKeyId(from) ?? latest.keyId,
  };
}

/** `3f-6d-82` of `3F:6D:82`, `3f-6d-82` and `3f6d82`. */
function storedSerial(text: string): string {
  const hex = text.toLowerCase().replaceAll(/[^0-9a-f]/g, '');
  return hex.match(/../g)?.join('-') ?? '-';
}
