import { type Certificate, readCertificate } from '../x509/certificate.ts';
import { type CaIssuing, caIssuing } from './ca-issuing.ts';
import { type CertificateSearch, certificateSearch } from './certificate-search.ts';
import { type CrlLists, crlLists } from './crl-lists.ts';
import { findIssuer, findKey } from './holdings.ts';
import { type Imports, imports } from './import.ts';
import type { CaKey, Issuer } from './issuer.ts';
import { type IssuerChanges, issuerChanges } from './issuer-changes.ts';
import { type Leaves, leavesOf } from './leaves.ts';
import { type AuthorityOptions, Ledger, storedSerial, toldSerial } from './ledger.ts';
import { type OcspResponder, ocspResponder } from './ocsp.ts';
import { type OwnRequests, ownRequests } from './own-requests.ts';
import { type Revocations, storedRevocations } from './revocations.ts';
import { type Roles, storedRoles } from './roles.ts';
import { type SelfIssuedSigning, selfIssuedSigning } from './self-issued.ts';
import { type AuthoritySettings, authoritySettings } from './settings.ts';
import { type AcmeTidying, openTidier, type Tidier } from './tidy/tidier.ts';

/** A certification authority, whatever protocol speaks for it. What its calls answer is durable by then. */
export interface Authority
  extends CaIssuing,
    OwnRequests,
    SelfIssuedSigning,
    CertificateSearch,
    Imports,
    IssuerChanges,
    AuthoritySettings {
  readonly roles: Roles;
  readonly leaves: Leaves;
  readonly revocations: Revocations;
  readonly crls: CrlLists;
  readonly ocsp: OcspResponder;
  /** `acme`: what removes what is over of the ACME server beside this. */
  openTidier(acme: AcmeTidying): Promise<Tidier>;
  issuers(): readonly Issuer[];
  /** @throws Fault `authority.issuer.absent` */
  issuer(reference: string): Issuer;
  chain(issuer: Issuer): readonly Certificate[];
  keys(): readonly CaKey[];
  /** @throws Fault `authority.key.absent` */
  key(reference: string): CaKey;
  /** An issued certificate; `serial` in hexadecimal, parted by colons, dashes or nothing. */
  certificate(serial: string): Promise<Certificate | undefined>;
  /** Issued certificates in the order of their serials. */
  certificates(range: { after?: string; limit?: number }): Promise<Certificate[]>;
  /** Colon-parted serials in order. */
  serials(range: { after?: string; limit?: number }): Promise<string[]>;
}

export async function openAuthority(options: AuthorityOptions): Promise<Authority> {
  const ledger = await Ledger.open(options);
  const { at } = ledger;
  return {
    ...caIssuing(ledger),
    ...ownRequests(ledger),
    ...selfIssuedSigning(ledger),
    ...certificateSearch(ledger),
    ...imports(ledger),
    ...issuerChanges(ledger),
    ...authoritySettings(ledger),
    roles: storedRoles(options),
    leaves: leavesOf(ledger),
    revocations: storedRevocations(ledger),
    crls: crlLists(ledger),
    ocsp: ocspResponder(ledger),
    openTidier: (acme) => {
      const deleteIssuer = (id: string) => issuerChanges(ledger).deleteIssuer(id);
      return openTidier({ ledger, deleteIssuer, acme });
    },
    issuers: () => ledger.holdings().issuers,
    issuer: (reference) => findIssuer(ledger.holdings(), reference),
    chain: (issuer) => ledger.holdings().chains(issuer),
    keys: () => ledger.holdings().keys,
    key: (reference) => findKey(ledger.holdings(), reference),
    certificate: async (serial) => {
      const entry = await options.store.get(at.certificate(storedSerial(serial)));
      return entry && readCertificate(entry.value);
    },
    certificates: async ({ after, limit }) => {
      const entries = await options.store.list({
        prefix: at.certificates,
        ...(after ? { after: at.certificate(storedSerial(after)) } : {}),
        ...(limit ? { limit } : {}),
      });
      return entries.map(({ value }) => readCertificate(value));
    },
    serials: async ({ after, limit }) => {
      const entries = await options.store.list({
        prefix: at.certificates,
        ...(after ? { after: at.certificate(storedSerial(after)) } : {}),
        ...(limit ? { limit } : {}),
        keysOnly: true,
      });
      return entries.map(({ key }) => toldSerial(key.slice(at.certificates.length)));
    },
  };
}
