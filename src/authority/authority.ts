import { uuid } from '../base/entropy.ts';
import type { Batch } from '../store/store.ts';
import { buildCertificate, type Certificate, readCertificate } from '../x509/certificate.ts';
import { generateKeyAsync, type KeySpec } from '../x509/key.ts';
import { type CertificateRequest, requestIsSelfConsistent } from '../x509/request.ts';
import { signerOf } from '../x509/signature.ts';
import type { AiaUrls, CaRequest } from './ca-request.ts';
import { crlKeeper } from './crl.ts';
import { defaultKeyId, findIssuer, findKey, type Holdings, type Settings } from './holdings.ts';
import { type CaKey, type Issuer, writeIssuer, writeKey } from './issuer.ts';
import { type IntermediateRequest, planIntermediate, planRoot } from './issuing-rules.ts';
import { checkKeySpec, checkName, checkRequestKey } from './key-rules.ts';
import { type AuthorityOptions, Ledger, storedSerial } from './ledger.ts';
import { refused } from './refused.ts';
import { type Revocations, storedRevocations } from './revocations.ts';
import { type Roles, storedRoles } from './roles.ts';

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
  readonly revocations: Revocations;
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

export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  return new StoredAuthority(await Ledger.open(options));
}

class StoredAuthority implements Authority {
  readonly roles: Roles;
  readonly revocations: Revocations;
  readonly #ledger: Ledger;
  readonly #crls: ReturnType<typeof crlKeeper>;

  constructor(ledger: Ledger) {
    const { options, at } = ledger;
    this.#ledger = ledger;
    this.roles = storedRoles(options);
    this.revocations = storedRevocations(ledger);
    this.#crls = crlKeeper({ ...options, keyOf: at.crl });
  }

  get #holdings(): Holdings {
    return this.#ledger.holdings();
  }

  async generateRoot(request: RootRequest): Promise<GeneratedRoot> {
    const { entropy } = this.#ledger.options;
    const wanted = request.key;
    if ('generate' in wanted) checkKeySpec(wanted.generate);
    const made = 'generate' in wanted ? await generateKeyAsync(wanted.generate, entropy) : undefined;
    const ids = { issuer: uuid(entropy), key: uuid(entropy) };
    const result = await this.#ledger.decideAndCommit(async (from) => {
      checkName('issuer', request.issuerName, from.issuers);
      if (made) checkName('key', request.keyName, from.keys);
      const key = made
        ? { id: ids.key, name: request.keyName, privateKey: made, revision: 0 }
        : findKey(from, (wanted as { existing: string }).existing);
      const plan = planRoot(request, key.privateKey.publicKey, this.#ledger.circumstances(from));
      const certificate = await buildCertificate(plan.template, signerOf(key.privateKey, request.hash));
      const issuer: Issuer = {
        id: ids.issuer,
        name: request.issuerName,
        keyId: key.id,
        certificate,
        leafNotAfterBehavior: 'err',
        revision: 0,
      };
      const record = this.#ledger.record(certificate, issuer.id);
      const batch: Batch = {
        expect: [this.#ledger.settingsAsIn(from), ...record.expect],
        puts: [
          ...record.puts,
          { key: this.#ledger.at.issuer(issuer.id), value: writeIssuer(issuer) },
          ...(made ? [{ key: this.#ledger.at.key(key.id), value: writeKey(key) }] : []),
          this.#ledger.putSettings(withDefaults(from, issuer)),
        ],
      };
      return { batch, result: { issuer, key, warnings: plan.warnings } };
    });
    await this.#ledger.reload();
    return result;
  }

  async signIntermediate(
    reference: string,
    request: IntermediateRequest & { hash: SignatureHash | undefined },
    csr: CertificateRequest,
  ): Promise<SignedIntermediate> {
    checkRequestKey(csr);
    if (!requestIsSelfConsistent(csr)) throw refused('request.signature', 'request signature invalid');
    return this.#ledger.decideAndCommit(async (from) => {
      const issuer = findIssuer(from, reference);
      const { privateKey } = findKey(from, issuer.keyId);
      const plan = planIntermediate(request, csr, issuer.certificate, this.#ledger.circumstances(from));
      const certificate = await buildCertificate(plan.template, signerOf(privateKey, request.hash));
      const record = this.#ledger.record(certificate, issuer.id);
      const expect = [
        { key: this.#ledger.at.issuer(issuer.id), revision: issuer.revision },
        this.#ledger.settingsAsIn(from),
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
    const entry = await this.#ledger.options.store.get(this.#ledger.at.certificate(storedSerial(serial)));
    return entry && readCertificate(entry.value);
  }

  async serials({ after, limit }: { after?: string; limit?: number }): Promise<string[]> {
    const prefix = this.#ledger.at.certificates;
    const entries = await this.#ledger.options.store.list({
      prefix,
      ...(after ? { after: this.#ledger.at.certificate(storedSerial(after)) } : {}),
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
    await this.#ledger.decideAndCommit(async (from) => ({
      batch: { expect: [this.#ledger.settingsAsIn(from)], puts: [this.#ledger.putSettings(decide(from))] },
      result: undefined,
    }));
    await this.#ledger.reload();
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
