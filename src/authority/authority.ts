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
  findIssuer,
  findKey,
  type Holdings,
  keysBelow,
  nothing,
  readHoldings,
  type Settings,
} from './holdings.ts';
import { type CaKey, chainOf, type Issuer, writeIssuer, writeKey } from './issuer.ts';
import { type Circumstances, type IntermediateRequest, planIntermediate, planRoot } from './issuing-rules.ts';
import { checkKeySpec, checkName, checkRequestKey } from './key-rules.ts';
import { refused } from './refused.ts';
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

/** A certification authority, whatever protocol speaks for it. What its calls answer is durable by then. */
export interface Authority {
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
  isDefault(issuer: Issuer): boolean;
  urls(): AiaUrls;
  setUrls(urls: AiaUrls): Promise<void>;
  /** An issued certificate; `serial` in hexadecimal, parted by colons, dashes or nothing. */
  certificate(serial: string): Promise<Certificate | undefined>;
  /** Colon-parted serials in order. */
  serials(range: { after?: string; limit?: number }): Promise<string[]>;
  /** The issuer's CRL, DER: signed anew where it would soon be out of date. */
  crl(issuer: string): Promise<Buffer>;
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
  const { store, prefix, clock, entropy, limits, guard } = options;
  const at = keysBelow(prefix);
  let holdings = await readHoldings(store, prefix, nothing);

  /** Decides, and writes what was decided unless what it was decided from has changed; then it decides again. */
  async function decideAndCommit<T>(
    decide: (from: Holdings) => Promise<{ batch: Batch; result: T }>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const { batch, result } = await decide(holdings);
      try {
        await store.commit({ ...batch, expect: [guard(), ...(batch.expect ?? [])] });
        return result;
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'store.conflict' || attempt === attemptLimit)
          throw error;
        holdings = await readHoldings(store, prefix, holdings);
      }
    }
  }

  function circumstances(from: Holdings): Circumstances {
    return {
      urls: from.settings.urls,
      limits: limits(),
      nowMs: clock.now(),
      serial: newSerial(entropy),
    };
  }

  /** A serial that is taken fails the whole batch, and another is drawn. */
  function recorded(certificate: Certificate) {
    const key = at.certificate(storedSerial(serialText(certificate.serial)));
    return { expect: [{ key, revision: 0 }], puts: [{ key, value: certificate.der }] };
  }

  function settingsExpectation(from: Holdings) {
    return { key: at.settings, revision: from.settingsRevision };
  }

  function putSettings(settings: Settings) {
    return { key: at.settings, value: Buffer.from(JSON.stringify(settings)) };
  }

  async function generateRoot(request: RootRequest): Promise<GeneratedRoot> {
    const wanted = request.key;
    if ('generate' in wanted) checkKeySpec(wanted.generate);
    const made = 'generate' in wanted ? await generateKeyAsync(wanted.generate, entropy) : undefined;
    const ids = { issuer: uuid(entropy), key: uuid(entropy) };
    const result = await decideAndCommit(async (from) => {
      checkName('issuer', request.issuerName, from.issuers);
      if (made) checkName('key', request.keyName, from.keys);
      const key = made
        ? { id: ids.key, name: request.keyName, privateKey: made, revision: 0 }
        : findKey(from, (wanted as { existing: string }).existing);
      const plan = planRoot(request, key.privateKey.publicKey, circumstances(from));
      const certificate = await buildCertificate(plan.template, signerOf(key.privateKey, request.hash));
      const issuer: Issuer = {
        id: ids.issuer,
        name: request.issuerName,
        keyId: key.id,
        certificate,
        leafNotAfterBehavior: 'err',
        revision: 0,
      };
      const record = recorded(certificate);
      const settings = { defaultIssuerId: issuer.id, ...from.settings };
      const batch: Batch = {
        expect: [settingsExpectation(from), ...record.expect],
        puts: [
          ...record.puts,
          { key: at.issuer(issuer.id), value: writeIssuer(issuer) },
          ...(made ? [{ key: at.key(key.id), value: writeKey(key) }] : []),
          putSettings(settings),
        ],
      };
      return { batch, result: { issuer, key, warnings: plan.warnings } };
    });
    holdings = await readHoldings(store, prefix, holdings);
    return result;
  }

  async function signIntermediate(
    reference: string,
    request: IntermediateRequest & { hash: SignatureHash | undefined },
    csr: CertificateRequest,
  ): Promise<SignedIntermediate> {
    checkRequestKey(csr);
    if (!requestIsSelfConsistent(csr)) throw refused('request.signature', 'request signature invalid');
    return decideAndCommit(async (from) => {
      const issuer = findIssuer(from, reference);
      const { privateKey } = findKey(from, issuer.keyId);
      const plan = planIntermediate(request, csr, issuer.certificate, circumstances(from));
      const certificate = await buildCertificate(plan.template, signerOf(privateKey, request.hash));
      const record = recorded(certificate);
      const expect = [
        { key: at.issuer(issuer.id), revision: issuer.revision },
        settingsExpectation(from),
        ...record.expect,
      ];
      const result = { certificate, chain: chainOf(issuer, from.issuers), warnings: plan.warnings };
      return { batch: { expect, puts: record.puts }, result };
    });
  }

  const crls = crlKeeper({ store, clock, keyOf: at.crl, guard });
  return {
    generateRoot,
    signIntermediate,
    issuers: () => holdings.issuers,
    issuer: (reference) => findIssuer(holdings, reference),
    chain: (issuer) => chainOf(issuer, holdings.issuers),
    isDefault: ({ id }) => id === holdings.settings.defaultIssuerId,
    urls: () => holdings.settings.urls,
    async setUrls(urls) {
      await decideAndCommit(async (from) => ({
        batch: { expect: [settingsExpectation(from)], puts: [putSettings({ ...from.settings, urls })] },
        result: undefined,
      }));
      holdings = await readHoldings(store, prefix, holdings);
    },
    async certificate(serial) {
      const entry = await store.get(at.certificate(storedSerial(serial)));
      return entry && readCertificate(entry.value);
    },
    async serials({ after, limit }) {
      const entries = await store.list({
        prefix: at.certificates,
        ...(after ? { after: at.certificate(storedSerial(after)) } : {}),
        ...(limit ? { limit } : {}),
      });
      return entries.map(({ key }) => key.slice(at.certificates.length).replaceAll('-', ':'));
    },
    async crl(reference) {
      const issuer = findIssuer(holdings, reference);
      return crls.current(issuer, findKey(holdings, issuer.keyId));
    },
  };
}

/** `3f-6d-82` of `3F:6D:82`, `3f-6d-82` and `3f6d82`. */
function storedSerial(text: string): string {
  const hex = text.toLowerCase().replaceAll(/[^0-9a-f]/g, '');
  return hex.match(/../g)?.join('-') ?? '-';
}
