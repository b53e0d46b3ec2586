import type { Fingerprint, Inventory, SeenCertificate } from './inventory.ts';

/** A certificate and those that it signed. */
export interface CredentialNode {
  certificate: SeenCertificate;
  children: readonly CredentialNode[];
}

/**
 * The seen certificates as trees: on top what no other seen certificate signed, below each what it signed, those
 * that expire first coming first. A certificate with several signers (cross-signed, or a root re-issued with its
 * key) stands below each.
 */
export function credentialTrees({ certificates }: Pick<Inventory, 'certificates'>): CredentialNode[] {
  const bySigner = new Map<Fingerprint, SeenCertificate[]>();
  for (const certificate of certificates) {
    for (const signer of certificate.signedBy) {
      const signed = bySigner.get(signer);
      if (signed) signed.push(certificate);
      else bySigner.set(signer, [certificate]);
    }
  }
  const placed = new Set<Fingerprint>();
  const node = (certificate: SeenCertificate, above: readonly Fingerprint[]): CredentialNode => {
    placed.add(certificate.fingerprint);
    const path = [...above, certificate.fingerprint];
    const children = (bySigner.get(certificate.fingerprint) ?? [])
      .filter(({ fingerprint }) => !path.includes(fingerprint))
      .toSorted(byExpiry);
    return { certificate, children: children.map((child) => node(child, path)) };
  };
  const isTop = ({ signedBy, selfSigned }: SeenCertificate) => selfSigned || signedBy.length === 0;
  const trees = certificates.filter(isTop).toSorted(byExpiry);
  const nodes = trees.map((top) => node(top, []));
  // What signs each other in a circle hangs below no top; each circle is opened at what expires last.
  for (const certificate of certificates.toSorted((a, b) => byExpiry(b, a))) {
    if (!placed.has(certificate.fingerprint)) nodes.push(node(certificate, []));
  }
  return nodes;
}

function byExpiry(a: SeenCertificate, b: SeenCertificate): number {
  return a.notAfter - b.notAfter || (a.fingerprint < b.fingerprint ? -1 : 1);
}
