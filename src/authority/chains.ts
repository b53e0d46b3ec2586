import { type Certificate, isSignedBy } from '../x509/certificate.ts';
import type { Issuer } from './issuer.ts';

/** Tells an issuer's certificate and those above it, up to a root where it is known. */
export type Chains = (issuer: Issuer) => readonly Certificate[];

/**
 * The chains among `known`, each worked out when it is first asked for, so that having many issuers costs nothing to
 * those that are not used. Where several signed one certificate (cross-signing), all of them are in its chain: roots
 * first, what has the later id before the other.
 */
export function chainsAmong(known: readonly Issuer[]): Chains {
  let family: Family | undefined;
  const chains = new Map<string, readonly Certificate[]>();
  return (issuer) => {
    family ??= familyOf(known);
    const found = chains.get(issuer.id) ?? chainOf(issuer, family);
    chains.set(issuer.id, found);
    return found;
  };
}

interface Family {
  byId: (id: string) => Issuer | undefined;
  /** Those that signed this issuer's certificate, itself left out. */
  parents: (issuer: Issuer) => readonly Issuer[];
}

function familyOf(known: readonly Issuer[]): Family {
  const byId = new Map(known.map((issuer) => [issuer.id, issuer]));
  const bySubject = new Map<string, Issuer[]>();
  for (const issuer of known) {
    const key = subjectKey(issuer.certificate.subject.der, issuer.certificate.subjectKeyId);
    const namesakes = bySubject.get(key);
    if (namesakes) namesakes.push(issuer);
    else bySubject.set(key, [issuer]);
  }
  const named = (name: Buffer, keyId: Buffer | undefined) => bySubject.get(subjectKey(name, keyId)) ?? [];
  return {
    byId: (id) => byId.get(id),
    parents: ({ id, certificate }) => {
      const { issuer, authorityKeyId } = certificate;
      const candidates = authorityKeyId
        ? [...named(issuer.der, authorityKeyId), ...named(issuer.der, undefined)]
        : known.filter(({ certificate: upper }) => upper.subject.der.equals(issuer.der));
      const parents = candidates
        .filter((candidate) => candidate.id !== id && isSignedBy(certificate, candidate.certificate))
        .toSorted((a, b) => (a.id < b.id ? 1 : -1));
      return [...parents.filter(isSelfIssued), ...parents.filter((parent) => !isSelfIssued(parent))];
    },
  };
}

/** One of many namesakes is found by its key's identifier, without a signature to verify for each. */
function subjectKey(name: Buffer, keyId: Buffer | undefined): string {
  return `${name.toString('latin1')}\0${keyId?.toString('latin1') ?? ''}`;
}

function isSelfIssued({ certificate: { subject, issuer } }: Issuer): boolean {
  return subject.der.equals(issuer.der);
}

function chainOf(first: Issuer, family: Family): Certificate[] {
  const chain = new Set<Issuer>();
  const climb = (issuer: Issuer) => {
    if (chain.has(issuer)) return;
    if (issuer.manualChain.length > 0) {
      for (const id of issuer.manualChain) {
        const member = family.byId(id);
        if (member) chain.add(member);
      }
      return;
    }
    chain.add(issuer);
    for (const parent of family.parents(issuer)) climb(parent);
  };
  climb(first);
  return [...chain].map(({ certificate }) => certificate);
}
