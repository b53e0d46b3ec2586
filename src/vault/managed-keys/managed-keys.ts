import type { RemoteKeys } from '../../authority/issuer.ts';
import { type Entropy, uuid } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import { SecretText } from '../../base/secret.ts';
import { commitIfUnchanged } from '../../store/commit.ts';
import type { Following } from '../../store/following.ts';
import type { Store } from '../../store/store.ts';
import { type PublicKey, samePublicKey } from '../../x509/key.ts';
import { type RemoteKey, signerOf, verifySignature } from '../../x509/signature.ts';
import { denied, invalidRequest } from '../faults.ts';
import type { Mount } from '../mount/mount.ts';
import type { Pkcs11Library } from '../pkcs11/library.ts';
import type { Session } from '../pkcs11/session.ts';
import { findHsmKey, generateHsmKey, type HsmKey, signInHsm } from './hsm-key.ts';
import { type ManagedKey, type ManagedKeyFields, readManagedKey } from './managed-key.ts';

const prefix = 'managed-key/';

/** Libraries by the names that the server's configuration gives them. */
export type KmsLibraries = ReadonlyMap<string, Pkcs11Library>;

/** Keys that live in HSMs: what is known of them, and what is done with them. */
export interface ManagedKeys {
  all(): readonly ManagedKey[];
  /** What is not given stays as it was. @throws Fault `vault.request.invalid` */
  put(name: string, fields: ManagedKeyFields): Promise<void>;
  /** @throws Fault `vault.request.invalid` while a mount lists it */
  delete(name: string): Promise<void>;
  /** Signs with the key, made where that is allowed, and verifies that. @throws Fault `vault.managed-key.away` */
  test(key: ManagedKey): Promise<void>;
  /** The keys as one mount may use them. */
  forMount(mount: () => Mount): MountKeys;
}

export interface MountKeys {
  remoteKeys: RemoteKeys;
  /**
   * A key that has shown that it signs, made where that is allowed.
   *
   * @throws Fault `vault.request.invalid`, `vault.denied`, `vault.managed-key.away`
   */
  obtain(wanted: { name: string } | { id: string }): Promise<RemoteKey>;
  /** Undefined where it was deleted. */
  described(reference: string): Pick<ManagedKey, 'uuid' | 'name'> | undefined;
}

export interface ManagedKeysOptions {
  store: Store;
  following: Following;
  entropy: Entropy;
  kmsLibraries?: KmsLibraries;
  mounts: () => readonly Mount[];
}

export async function openManagedKeys(options: ManagedKeysOptions): Promise<ManagedKeys> {
  const keys = new StoredManagedKeys(options);
  options.following.follow([prefix], () => keys.load());
  await keys.load();
  return keys;
}

class StoredManagedKeys implements ManagedKeys {
  readonly #options: ManagedKeysOptions;
  #keys: readonly ManagedKey[] = [];

  constructor(options: ManagedKeysOptions) {
    this.#options = options;
  }

  async load(): Promise<void> {
    const entries = await this.#options.store.list({ prefix });
    this.#keys = entries.map(({ value }) => JSON.parse(value.toString()) as ManagedKey);
  }

  all(): readonly ManagedKey[] {
    return this.#keys;
  }

  async put(name: string, fields: ManagedKeyFields): Promise<void> {
    const { store, entropy, kmsLibraries } = this.#options;
    for (let written = false; !written; ) {
      const entry = await store.get(prefix + name);
      const before = entry && (JSON.parse(entry.value.toString()) as ManagedKey);
      const key = readManagedKey(name, fields, before, () => uuid(entropy));
      if (!kmsLibraries?.has(key.library)) {
        throw invalidRequest(
          `no kms_library named ${JSON.stringify(key.library)} in the server's configuration`,
        );
      }
      const puts = [{ key: prefix + name, value: Buffer.from(JSON.stringify(key)) }];
      const expect = [{ key: prefix + name, revision: entry?.revision ?? 0 }];
      written = await commitIfUnchanged(store, { expect, puts });
    }
    await this.load();
  }

  async delete(name: string): Promise<void> {
    const mount = this.#options.mounts().find((one) => one.lists?.allowed_managed_keys?.includes(name));
    if (mount) {
      throw invalidRequest(
        `managed key ${JSON.stringify(name)} is in allowed_managed_keys of the mount ${mount.path}`,
      );
    }
    await this.#options.store.commit({ deletes: [prefix + name] });
    await this.load();
  }

  async test(key: ManagedKey): Promise<void> {
    await this.#proven(key, () => this.#named(key.uuid));
  }

  forMount(mount: () => Mount): MountKeys {
    const allowed = (key: ManagedKey) => {
      if (key.anyMount || mount().lists?.allowed_managed_keys?.includes(key.name)) return key;
      throw denied(
        `managed key ${JSON.stringify(key.name)} is not for this mount: it is not in its allowed_managed_keys, nor has ` +
          'it any_mount',
      );
    };
    const permitted = (reference: string) => allowed(this.#named(reference));
    return {
      remoteKeys: (reference, publicKey) => this.#remoteKey(reference, publicKey, () => permitted(reference)),
      obtain: async (wanted) => {
        const key = this.#keys.find((one) =>
          'id' in wanted ? one.uuid === wanted.id : one.name === wanted.name.toLowerCase(),
        );
        if (!key) {
          const named = 'id' in wanted ? `id ${wanted.id}` : `name ${wanted.name}`;
          throw invalidRequest(`failed to fetch managed key: no managed key found with ${named}`);
        }
        return this.#proven(allowed(key), () => permitted(key.uuid));
      },
      described: (reference) => this.#keys.find((one) => one.uuid === reference),
    };
  }

  #named(reference: string): ManagedKey {
    const key = this.#keys.find((one) => one.uuid === reference);
    if (key) return key;
    throw new Fault(`the managed key ${reference} was deleted`, {
      code: 'vault.managed-key.away',
      blame: 'operator',
      fix: 'make the CA anew: a managed key of the same name is another one',
    });
  }

  /** `current`: the key as it is when it is to sign. */
  #remoteKey(reference: string, publicKey: PublicKey, current: () => ManagedKey): RemoteKey {
    const mechanismOf = () => this.#keys.find((one) => one.uuid === reference)?.mechanism;
    return {
      ...{ reference, publicKey, spec: publicKey.spec },
      get padding() {
        return mechanismOf() === 'RSA_PKCS_PSS' ? ('PSS' as const) : undefined;
      },
      sign: async (bytes, how) => {
        const key = current();
        return this.#at(key, async (session) => {
          const found = await findHsmKey(session, key);
          if (!samePublicKey(found.publicKey, publicKey)) throw another();
          return signInHsm(session, found, bytes, how);
        });
      },
    };
  }

  async #proven(key: ManagedKey, current: () => ManagedKey): Promise<RemoteKey> {
    const { publicKey } = await this.#foundOrMade(key);
    const remote = this.#remoteKey(key.uuid, publicKey, current);
    const signer = signerOf(remote);
    const bytes = this.#options.entropy.bytes(32);
    const signature = await signer.sign(bytes);
    if (verifySignature({ algorithm: signer.algorithm, bytes, signature, publicKey })) return remote;
    throw unusable(
      key,
      new Fault('its signature does not verify', { code: 'vault.seal.config', blame: 'operator' }),
    );
  }

  async #foundOrMade(key: ManagedKey): Promise<HsmKey> {
    try {
      return await this.#at(key, (session) => findHsmKey(session, key));
    } catch (error) {
      if (!key.generates || !(error instanceof Fault) || !isAbsence(error.cause)) throw error;
    }
    // By now the session is a new one: what it does not find is not there, unless somebody else has made it meanwhile.
    return this.#at(key, async (session) => {
      try {
        return await findHsmKey(session, key);
      } catch (error) {
        if (!isAbsence(error)) throw error;
      }
      await generateHsmKey(session, key, (length) => this.#options.entropy.bytes(length));
      return findHsmKey(session, key);
    });
  }

  async #at<T>(key: ManagedKey, work: (session: Session) => Promise<T>): Promise<T> {
    const library = this.#options.kmsLibraries?.get(key.library);
    try {
      if (!library) throw noLibrary(key.library);
      return await library.use(
        {
          ...(key.slot === '' ? { tokenLabel: key.tokenLabel } : { slot: BigInt(key.slot) }),
          pin: new SecretText(key.pin),
        },
        work,
      );
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      throw unusable(key, error);
    }
  }
}

/** What an operator finds in the log; who only wants a certificate hears that the key is out of reach. */
function unusable(key: ManagedKey, error: Fault): Fault {
  const fix =
    error.code === 'vault.seal.pin'
      ? 'write the managed key anew with the right pin: a wrong one is not tried twice, since an HSM locks after a few'
      : error.fix;
  return new Fault(`the managed key ${JSON.stringify(key.name)} cannot be used: ${error.message}`, {
    ...{ code: 'vault.managed-key.away', blame: 'operator', cause: error },
    ...(fix === undefined ? {} : { fix }),
  });
}

function isAbsence(error: unknown): boolean {
  return error instanceof Fault && error.code === 'vault.seal.absent';
}

function noLibrary(name: string): Fault {
  return new Fault(`no kms_library named ${JSON.stringify(name)} in the server's configuration`, {
    code: 'vault.seal.config',
    blame: 'operator',
    fix: 'add it to the configuration of every server',
  });
}

function another(): Fault {
  return new Fault('the key in the HSM is another one than the one that the CA was made with', {
    code: 'vault.seal.config',
    blame: 'operator',
    fix: 'bring the token or the managed key back to what it was',
  });
}
