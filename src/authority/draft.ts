import { uuid } from '../base/entropy.ts';
import type { Batch } from '../store/store.ts';
import type { Certificate } from '../x509/certificate.ts';
import { samePublicKey } from '../x509/key.ts';
import type { SigningKey } from '../x509/signature.ts';
import { defaultKeyId, type Holdings, type Settings } from './holdings.ts';
import { type CaKey, type Issuer, issuerUses, writeIssuer, writeKey } from './issuer.ts';
import { withIssuersModified } from './issuers-modified.ts';
import type { Ledger } from './ledger.ts';

/**
 * Changes to issuers, keys and settings, to be written in one batch. Every such batch writes the settings, so that
 * no two of them are decided from the same holdings: names stay unique, and a key finds its issuers.
 */
export class Draft {
  readonly #ledger: Ledger;
  readonly #from: Holdings;
  readonly #issuers: Map<string, Issuer>;
  readonly #keys: Map<string, CaKey>;
  #settings: Settings;

  constructor(ledger: Ledger, from: Holdings) {
    this.#ledger = ledger;
    this.#from = from;
    this.#issuers = new Map(from.issuers.map((issuer) => [issuer.id, issuer]));
    this.#keys = new Map(from.keys.map((key) => [key.id, key]));
    this.#settings = from.settings;
  }

  get settings(): Settings {
    return this.#settings;
  }

  set settings(settings: Settings) {
    this.#settings = settings;
  }

  /** The key, and the issuers that were waiting for it are joined to it; or the one that is the same. */
  addKey(privateKey: SigningKey, name: string): { key: CaKey; existed: boolean } {
    const same = this.keyFor(privateKey.publicKey);
    if (same) return { key: same, existed: true };
    const key = { id: uuid(this.#ledger.options.entropy), name, privateKey, revision: 0 };
    this.#keys.set(key.id, key);
    if (!this.#defaultKeyId()) this.#settings = { ...this.#settings, defaultKeyId: key.id };
    for (const issuer of this.#issuers.values()) {
      if (issuer.keyId !== undefined || !samePublicKey(issuer.certificate.publicKey, privateKey.publicKey))
        continue;
      this.#issuers.set(issuer.id, { ...issuer, keyId: key.id });
      this.#beDefault(issuer.id);
    }
    return { key, existed: false };
  }

  /** A new issuer, joined to its key where that is here; or the one with the same certificate. */
  addIssuer(certificate: Certificate, name: string): { issuer: Issuer; existed: boolean } {
    for (const issuer of this.#issuers.values()) {
      if (issuer.certificate.der.equals(certificate.der)) return { issuer, existed: true };
    }
    const signsCrls = certificate.keyUsage?.includes('crl sign') ?? false;
    const issuer: Issuer = {
      id: uuid(this.#ledger.options.entropy),
      name,
      keyId: this.keyFor(certificate.publicKey)?.id,
      certificate,
      leafNotAfterBehavior: 'err',
      usage: issuerUses.filter((use) => use !== 'crl-signing' || signsCrls),
      revocationAlgorithm: '',
      manualChain: [],
      urls: undefined,
      revokedAt: undefined,
      revision: 0,
    };
    this.#issuers.set(issuer.id, issuer);
    if (issuer.keyId !== undefined) this.#beDefault(issuer.id);
    return { issuer, existed: false };
  }

  keyFor(publicKey: Certificate['publicKey']): CaKey | undefined {
    for (const key of this.#keys.values()) {
      if (samePublicKey(key.privateKey.publicKey, publicKey)) return key;
    }
    return undefined;
  }

  /** Puts `issuer` in the place of the one with its id. */
  changeIssuer(issuer: Issuer): Issuer {
    this.#issuers.set(issuer.id, issuer);
    return issuer;
  }

  changeKey(key: CaKey): CaKey {
    this.#keys.set(key.id, key);
    return key;
  }

  /** Whether it was the default one, which there is then none of. */
  removeIssuer(id: string): boolean {
    this.#issuers.delete(id);
    // What stands for "the default issuer's key" stays what it was.
    const keyId = this.#defaultKeyId() ?? '';
    const { defaultIssuerId, ...rest } = this.#settings;
    if (defaultIssuerId !== id) return false;
    this.#settings = { ...rest, defaultKeyId: keyId };
    return true;
  }

  removeKey(id: string): boolean {
    const wasDefault = this.#defaultKeyId() === id;
    this.#keys.delete(id);
    if (wasDefault) this.#settings = { ...this.#settings, defaultKeyId: '' };
    return wasDefault;
  }

  /** Where each new issuer is to be the default one, the latest. */
  followLatest(id: string): void {
    if (this.#settings.defaultFollowsLatestIssuer)
      this.#settings = { ...this.#settings, defaultIssuerId: id };
  }

  batch(): Required<Batch> {
    const { at } = this.#ledger;
    const { issuers, keys, issuerOf, keyOf, settings: before } = this.#from;
    const changed = <T extends { id: string }>(now: ReadonlyMap<string, T>, before: ReadonlyMap<string, T>) =>
      [...now.values()].filter((one) => before.get(one.id) !== one);
    const changedIssuers = changed(this.#issuers, issuerOf);
    const changedKeys = changed(this.#keys, keyOf);
    const removed = issuers.filter(({ id }) => !this.#issuers.has(id));
    const sameIssuers =
      changedIssuers.length + removed.length === 0 &&
      this.#settings.defaultIssuerId === before.defaultIssuerId;
    const settings = sameIssuers
      ? this.#settings
      : withIssuersModified(this.#settings, this.#ledger.options.clock.now());
    return {
      expect: [
        this.#ledger.settingsAsIn(this.#from),
        ...[...changedIssuers, ...removed].map(({ id, revision }) => ({ key: at.issuer(id), revision })),
        ...changedKeys.map(({ id, revision }) => ({ key: at.key(id), revision })),
      ],
      puts: [
        ...changedIssuers.map((issuer) => ({ key: at.issuer(issuer.id), value: writeIssuer(issuer) })),
        ...changedKeys.map((key) => ({ key: at.key(key.id), value: writeKey(key) })),
        this.#ledger.putSettings(settings),
      ],
      deletes: [
        ...removed.map(({ id }) => at.issuer(id)),
        ...keys.filter(({ id }) => !this.#keys.has(id)).map(({ id }) => at.key(id)),
      ],
    };
  }

  /** The first that can sign is the default one, and stays so. */
  #beDefault(id: string): void {
    if (!this.#settings.defaultIssuerId) this.#settings = { ...this.#settings, defaultIssuerId: id };
  }

  #defaultKeyId(): string | undefined {
    return defaultKeyId({ issuerOf: this.#issuers, settings: this.#settings });
  }
}
