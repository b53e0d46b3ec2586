import { createHash } from 'node:crypto';
import { Fault } from '../base/fault.ts';
import { type Certificate, readCertificate, serialText } from '../x509/certificate.ts';
import { keyIdentifier } from '../x509/key.ts';
import { sameName } from '../x509/name.ts';
import { type CertId, type CertIdHash, issuerHashes } from '../x509/ocsp-cert-id.ts';
import { type OcspRequest, readOcspRequest } from '../x509/ocsp-request.ts';
import {
  buildOcspResponse,
  type CertificateStatus,
  type OcspResponseStatus,
  ocspError,
  type SingleResponse,
} from '../x509/ocsp-response.ts';
import { AnswerCache } from './answer-cache.ts';
import type { Holdings } from './holdings.ts';
import { type Ledger, storedSerial } from './ledger.ts';
import { type ListSigner, listId, listSigner } from './list-signer.ts';
import { revocationSigner } from './revocation-algorithm.ts';
import { revocationKeysBelow } from './revocation-keys.ts';
import { revocationSettings } from './revocation-settings.ts';
import { readRevoked } from './revoked.ts';
import { hasUnstored } from './unstored.ts';

export interface OcspAnswer {
  status: OcspResponseStatus;
  der: Buffer;
  /** Where it may be kept, as it names one certificate and no nonce: from when (epoch ms), and how long from now. */
  holds?: { from: number; forMs: number; tag: string };
}

/** Answers what has become of certificates (RFC 6960), signed by their issuers themselves. */
export interface OcspResponder {
  /** `request`: DER. Never throws for what a request is; the store's faults come through. */
  answer(request: Buffer): Promise<OcspAnswer>;
}

/** Some 10 MB of answers. */
const keptAnswers = 10_000;

interface Kept {
  der: Buffer;
  /** Tells this answer from every other. */
  tag: string;
  /** Epoch milliseconds. */
  thisUpdate: number;
  nextUpdate: number;
  /** The issuers and settings it was made by. */
  from: Holdings;
  revokedKey: string;
  /** Of the revocation that it tells of; 0 where there is none. */
  revision: number;
  renewAt: number;
}

export function ocspResponder(ledger: Ledger): OcspResponder {
  const cache = new AnswerCache<Kept>(keptAnswers);
  const { store, clock } = ledger.options;

  /** One that was signed before, if what it tells still is so. */
  async function kept(key: string): Promise<OcspAnswer | undefined> {
    const found = cache.get(key);
    if (!found || found.from !== ledger.holdings() || clock.now() >= found.renewAt) return undefined;
    const revoked = await store.get(found.revokedKey);
    if ((revoked?.revision ?? 0) !== found.revision) return undefined;
    const holds = { from: found.thisUpdate, forMs: found.nextUpdate - clock.now(), tag: found.tag };
    return { status: 'successful', der: found.der, holds };
  }

  return {
    async answer(der) {
      const key = der.toString('latin1');
      const known = await kept(key);
      if (known) return known;
      const from = ledger.holdings();
      const settings = revocationSettings(from);
      if (settings.ocspDisable) return failure('unauthorized');
      const request = read(der);
      if (!request) return failure('malformed request');
      const responder = responderOf(from, request.certificates[0]!);
      if (!responder) return failure('unauthorized');
      const now = Math.floor(clock.now() / 1_000) * 1_000;
      const told = await Promise.all(request.certificates.map((id) => judge(ledger, from, responder, id)));
      const { ms } = settings.ocspExpiry;
      const responses = told.map(
        ({ id, is }): SingleResponse => ({
          certificate: id,
          is,
          thisUpdate: now,
          // Of what is not known there may be news at any moment.
          ...(ms > 0 && is.status !== 'unknown' ? { nextUpdate: now + ms } : {}),
        }),
      );
      const signed = await sign(responder, responses, now, request.nonce);
      const [{ revokedKey, revision }] = told as [Judged];
      const [{ nextUpdate }] = responses as [SingleResponse];
      if (request.nonce || told.length > 1 || nextUpdate === undefined) {
        return { status: 'successful', der: signed };
      }
      // Renewed half way, so that whoever gets it has it for some time.
      const renewAt = now + ms / 2;
      const tag = createHash('sha256').update(signed).digest('hex').slice(0, 32);
      cache.set(key, { der: signed, tag, thisUpdate: now, nextUpdate, from, revokedKey, revision, renewAt });
      return {
        status: 'successful',
        der: signed,
        holds: { from: now, forMs: nextUpdate - clock.now(), tag },
      };
    },
  };
}

function failure(status: Exclude<OcspResponseStatus, 'successful'>): OcspAnswer {
  return { status, der: ocspError(status) };
}

function read(der: Buffer): OcspRequest | undefined {
  try {
    return readOcspRequest(der);
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

function sign(
  { issuer, key }: ListSigner,
  responses: readonly SingleResponse[],
  producedAt: number,
  nonce: Buffer | undefined,
): Promise<Buffer> {
  const responderKeyId = keyIdentifier(issuer.certificate.publicKey);
  const template = { producedAt, responses, responderKeyId, ...(nonce ? { nonce } : {}) };
  return buildOcspResponse(template, revocationSigner(issuer, key.privateKey));
}

/**
 * Who answers: the issuer that is asked about, if it may; undefined where it may not. For an issuer that is not here the
 * default one says that it does not know, as Vault's does.
 */
function responderOf(from: Holdings, asked: CertId): ListSigner | undefined {
  const list = listAsked(from, asked);
  if (list !== undefined) return listSigner(from, list, 'ocsp-signing');
  const fallback = from.issuerOf.get(from.settings.defaultIssuerId ?? '');
  return fallback && listSigner(from, listId(fallback.certificate), 'ocsp-signing');
}

const lists = new WeakMap<Holdings, Map<CertIdHash, Map<string, string>>>();

/** The list of the issuer that a CertID names; undefined where it is not here. */
function listAsked(from: Holdings, { hash, issuerNameHash, issuerKeyHash }: CertId): string | undefined {
  if (!hash) return undefined;
  const byHash = lists.get(from) ?? new Map<CertIdHash, Map<string, string>>();
  lists.set(from, byHash);
  const found =
    byHash.get(hash) ??
    new Map(
      from.issuers.map(({ certificate }) => [nameOf(issuerHashes(certificate, hash)), listId(certificate)]),
    );
  byHash.set(hash, found);
  return found.get(nameOf({ issuerNameHash, issuerKeyHash }));
}

function nameOf({ issuerNameHash, issuerKeyHash }: Pick<CertId, 'issuerNameHash' | 'issuerKeyHash'>): string {
  return `${issuerNameHash.toString('latin1')} ${issuerKeyHash.toString('latin1')}`;
}

interface Judged {
  id: CertId;
  is: CertificateStatus;
  revokedKey: string;
  /** Of the revocation; 0 where there is none. */
  revision: number;
}

/**
 * A serial that the issuer never gave out is unknown, unless its key has signed certificates that are not in the store:
 * then no one can tell, and it counts as good, as with Vault it always does.
 */
async function judge(ledger: Ledger, from: Holdings, { issuer }: ListSigner, id: CertId): Promise<Judged> {
  const { store, prefix } = ledger.options;
  const serial = storedSerial(serialText(id.serial));
  const revokedKey = revocationKeysBelow(prefix).revoked(serial);
  const list = listId(issuer.certificate);
  const [revoked, certificate] = await Promise.all([
    store.get(revokedKey),
    store.get(ledger.at.certificate(serial)),
  ]);
  const judged = { id, revokedKey, revision: revoked?.revision ?? 0 };
  if (listAsked(from, id) !== list) return { ...judged, is: { status: 'unknown' } };
  const record = revoked && readRevoked(revoked.value);
  if (record?.list === list) {
    const { revokedAtMs: revokedAt, reason } = record;
    return { ...judged, is: { status: 'revoked', revokedAt, ...(reason ? { reason } : {}) } };
  }
  const issued = certificate
    ? isIssuedBy(readCertificate(certificate.value), issuer.certificate)
    : await hasUnstored(ledger, issuer.certificate);
  return { ...judged, is: { status: issued ? 'good' : 'unknown' } };
}

/** By what it says of its issuer: the store holds nothing that one of the issuers here did not sign. */
function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  const { authorityKeyId } = certificate;
  const keyId = issuer.subjectKeyId ?? keyIdentifier(issuer.publicKey);
  return sameName(certificate.issuer, issuer.subject) && (!authorityKeyId || authorityKeyId.equals(keyId));
}
