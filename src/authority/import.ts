import { describeError, Fault } from '../base/fault.ts';
import type { Batch } from '../store/store.ts';
import { type Certificate, certificatePem, readCertificate } from '../x509/certificate.ts';
import { type PrivateKey, readPrivateKey } from '../x509/key.ts';
import { decodePem, encodePem, type PemBlock } from '../x509/pem.ts';
import { type SigningKey, signerOf, verifySignature } from '../x509/signature.ts';
import { madeKey, type WantedKey } from './ca-issuing.ts';
import { Draft } from './draft.ts';
import type { CaKey } from './issuer.ts';
import { checkName } from './key-rules.ts';
import type { Ledger } from './ledger.ts';
import { refused } from './refused.ts';
import { unstoredMarks } from './unstored.ts';

/** What became of a bundle, by ids; what stood in it twice is in both lists. */
export interface Imported {
  issuers: readonly string[];
  keys: readonly string[];
  existingIssuers: readonly string[];
  existingKeys: readonly string[];
  /** Each issuer's key, where that is here. */
  keyOf: ReadonlyMap<string, string | undefined>;
  warnings: readonly string[];
}

/** CAs and keys that come from elsewhere, and keys made ahead of their CAs. */
export interface Imports {
  /**
   * Takes in the certificates and private keys of PEM text, in any order, all or nothing; keys and certificates find
   * each other.
   *
   * @throws Fault `authority.import`
   */
  importBundle(pem: string, options: { keysAllowed: boolean }): Promise<Imported>;
  /** Takes in one private key. `existed`: it was here, and keeps its name. */
  importKey(pem: string, name: string): Promise<{ key: CaKey; existed: boolean }>;
  /** Makes a key, or takes up one that lives elsewhere. */
  addNewKey(wanted: Exclude<WantedKey, { existing: string }>, name: string): Promise<CaKey>;
}

export function imports(ledger: Ledger): Imports {
  return {
    importBundle: async (pem, { keysAllowed }) => {
      const { certificates, keys } = readBundle(pem, keysAllowed);
      for (const [index, key] of keys.entries()) {
        if (!(await isWhole(key))) throw refused('import', `Error parsing key ${index}: ${torn}`);
      }
      const result = await ledger.decideAndCommit(async (from) => {
        const draft = new Draft(ledger, from);
        const imported = addAll(draft, certificates, keys);
        return { batch: withMarks(ledger, draft.batch(), keys), result: imported };
      });
      await ledger.reload();
      return result;
    },
    importKey: async (pem, name) => {
      const blocks = readBlocks(pem);
      if (blocks.length !== 1) {
        throw refused('import', 'only a single key can be present within the pem_bundle for importing');
      }
      const key = readKeyBlock(blocks[0]!);
      if (!(await isWhole(key))) throw refused('import', torn);
      return addKey(ledger, key, name, [key]);
    },
    addNewKey: async (wanted, name) => {
      const made = await madeKey(ledger, wanted);
      return (await addKey(ledger, made!, name)).key;
    },
  };
}

/** What keys from elsewhere have signed so far, nobody here knows. */
function withMarks(ledger: Ledger, batch: Required<Batch>, keys: readonly PrivateKey[]): Required<Batch> {
  const publicKeys = keys.map(({ publicKey }) => publicKey);
  return { ...batch, puts: [...batch.puts, ...unstoredMarks(ledger, publicKeys)] };
}

async function addKey(
  ledger: Ledger,
  privateKey: SigningKey,
  name: string,
  foreign: readonly PrivateKey[] = [],
) {
  const result = await ledger.decideAndCommit(async (from) => {
    checkName('key', name, from.keys);
    const draft = new Draft(ledger, from);
    const added = draft.addKey(privateKey, name);
    return { batch: withMarks(ledger, draft.batch(), foreign), result: added };
  });
  await ledger.reload();
  return result;
}

function addAll(draft: Draft, certificates: readonly Certificate[], keys: readonly PrivateKey[]): Imported {
  const defaultBefore = draft.settings.defaultIssuerId;
  const addedKeys = keys.map((key) => draft.addKey(key, ''));
  const added = certificates.map((certificate) => draft.addIssuer(certificate, ''));
  const signing = added.filter(({ issuer, existed }) => !existed && issuer.keyId !== undefined);
  const warnings: string[] = [];
  if (draft.settings.defaultFollowsLatestIssuer && signing.length > 1) {
    warnings.push(
      'Default issuer left unchanged: could not select new issuer automatically as multiple imported issuers had key ' +
        'material in Vault.',
    );
  } else if (signing.length === 1) {
    draft.followLatest(signing[0]!.issuer.id);
  }
  const { defaultIssuerId } = draft.settings;
  if (added.some(({ issuer }) => issuer.id === defaultIssuerId && issuer.keyId === undefined)) {
    warnings.push(
      'The default issuer has no key associated with it. Some operations like issuing certificates and signing CRLs ' +
        'will be unavailable with the requested default issuer until a key is imported or the default issuer is changed.',
    );
  }
  if (signing.length > 1 && defaultIssuerId !== defaultBefore) {
    warnings.push(
      'The imported bundle contained multiple certs matching keys, the default issuer that was selected should be ' +
        'verified and manually changed if incorrect.',
    );
  }
  const ids = <T extends { existed: boolean }>(all: readonly T[], existed: boolean, id: (one: T) => string) =>
    all.filter((one) => one.existed === existed).map(id);
  return {
    issuers: ids(added, false, ({ issuer }) => issuer.id),
    keys: ids(addedKeys, false, ({ key }) => key.id),
    existingIssuers: ids(added, true, ({ issuer }) => issuer.id),
    existingKeys: ids(addedKeys, true, ({ key }) => key.id),
    keyOf: new Map(added.map(({ issuer }) => [issuer.id, issuer.keyId])),
    warnings,
  };
}

const certificateLabels: readonly string[] = ['CERTIFICATE', 'X509 CERTIFICATE'];
/** What bundles hold besides, and nobody needs here. */
const passedOver: readonly string[] = ['CRL', 'X509 CRL', 'EC PARAMS', 'EC PARAMETERS'];

function readBundle(text: string, keysAllowed: boolean): { certificates: Certificate[]; keys: PrivateKey[] } {
  const blocks = readBlocks(text).filter(({ label }) => !passedOver.includes(label));
  const isCertificate = ({ label }: PemBlock) => certificateLabels.includes(label);
  const keys = blocks.filter((block) => !isCertificate(block));
  if (keys.length > 0 && !keysAllowed) {
    throw refused(
      'import',
      'private keys found in the PEM bundle but not allowed by the path; use /issuers/import/bundle',
    );
  }
  return {
    keys: keys.map((block, index) =>
      naming(
        () => readKeyBlock(block),
        (problem) => `Error parsing key ${index}: ${problem}`,
      ),
    ),
    certificates: blocks.filter(isCertificate).map(({ bytes }, index) =>
      naming(
        () => readCaCertificate(bytes),
        (problem) => `Error parsing issuer ${index}: ${problem}\n${certificatePem({ der: bytes })}`,
      ),
    ),
  };
}

/** Blocks with text before and between them, as OpenSSL writes them, and none after: that may be half a block. */
function readBlocks(text: string): PemBlock[] {
  const blocks = naming(
    () => decodePem(text),
    (problem) => `error when parsing block 1: invalid PEM data: ${problem}`,
  );
  const rest = /-----END [^\n]*-----\s*([^]*)$/.exec(text.slice(text.lastIndexOf('-----END ')))?.[1] ?? text;
  if (blocks.length > 0 && rest.trim() === '') return blocks;
  throw refused('import', `error when parsing block ${blocks.length + 1}: invalid PEM data`);
}

function readKeyBlock({ label, bytes }: PemBlock): PrivateKey {
  return readPrivateKey(encodePem(label, bytes));
}

const torn = 'the private key does not belong to the public key that stands beside it';

/** Forms that hold both halves of a key can hold halves of two, whose signatures nobody could verify. */
async function isWhole(key: PrivateKey): Promise<boolean> {
  const signer = signerOf(key);
  const bytes = Buffer.from('are you one key');
  const { algorithm, publicKey } = signer;
  return verifySignature({ algorithm, bytes, signature: await signer.sign(bytes), publicKey });
}

/** Looked at whole, so that nothing in it is found to be amiss when it is to sign. */
function readCaCertificate(der: Buffer): Certificate {
  const certificate = readCertificate(der);
  if (!certificate.isCa) throw refused('import', 'Refusing to import non-CA certificate');
  const { publicKey, subjectKeyId: _, authorityKeyId: __, keyUsage: ___ } = certificate;
  // Refuses a point or number that is no key.
  void publicKey.key;
  return certificate;
}

function naming<T>(act: () => T, message: (problem: string) => string): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw refused('import', message(describeError(error)), error);
  }
}
