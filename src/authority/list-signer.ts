import { createHash } from 'node:crypto';
import type { Certificate } from '../x509/certificate.ts';
import type { Holdings } from './holdings.ts';
import type { CaKey, Issuer } from './issuer.ts';

const ids = new WeakMap<Certificate, string>();

/**
 * The list that an issuer's certificates are revoked on: one for all issuers of the same name and key, since nobody
 * can tell apart what they signed, and the same again should the issuer leave and come back.
 */
export function listId(certificate: Certificate): string {
  const known = ids.get(certificate);
  if (known) return known;
  const { spki, subject } = certificate;
  const id = createHash('sha256').update(spki).update(subject.der).digest('hex').slice(0, 32);
  ids.set(certificate, id);
  return id;
}

export interface ListSigner {
  issuer: Issuer;
  key: CaKey;
}

type Use = 'crl-signing' | 'ocsp-signing';

const signers = new WeakMap<Holdings, Map<string, ListSigner>>();

/**
 * The issuer that signs for `list`, of those of its name and key that may and can: the default one if it is among
 * them, else the first. Undefined where there is none.
 */
export function listSigner(from: Holdings, list: string, use: Use): ListSigner | undefined {
  const known = signers.get(from) ?? signersOf(from);
  signers.set(from, known);
  return known.get(`${use} ${list}`);
}

function signersOf({ issuers, keyOf, settings }: Holdings): Map<string, ListSigner> {
  const found = new Map<string, ListSigner>();
  for (const issuer of issuers) {
    const key = issuer.keyId === undefined ? undefined : keyOf.get(issuer.keyId);
    if (!key) continue;
    for (const use of ['crl-signing', 'ocsp-signing'] as const) {
      const name = `${use} ${listId(issuer.certificate)}`;
      const preferred = issuer.id === settings.defaultIssuerId || !found.has(name);
      if (issuer.usage.includes(use) && preferred) found.set(name, { issuer, key });
    }
  }
  return found;
}

/** The lists of all issuers, each once, with its issuers. */
export function allLists({ issuers }: Holdings): Map<string, Issuer[]> {
  return Map.groupBy(issuers, ({ certificate }) => listId(certificate));
}
