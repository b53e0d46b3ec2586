import type { Certificate } from '../x509/certificate.ts';
import { verifyChain } from '../x509/verify.ts';

/** The far end of a connection, after its certificate has been verified. */
export interface Peer {
  /** Its name in the mesh: the first DNS or URI name of its leaf. */
  identity: string;
  leaf: Certificate;
}

export interface PeerRefusal {
  /** Stable: `no-certificate`, `no-name`, `wrong-name`, or chain verification's code (`expired`, `unknown-authority`). */
  kind: string;
  /** In words, naming the certificate at fault. */
  reason: string;
}

export interface PeerFacts {
  /** What the far end presented, its leaf first; empty where it presented nothing. */
  presented: readonly Certificate[];
  roots: readonly Certificate[];
  at: number;
  /** What the far end is: a server must also hold the name that was dialled. */
  role: { is: 'client' } | { is: 'server'; expected: string };
}

/**
 * Whether the far end is who it must be, by Linkerd's identity rules: a server is accepted if any of its names is
 * the one dialled, a client is whoever its first name says.
 */
export function judgePeer({ presented, roots, at, role }: PeerFacts): Peer | PeerRefusal {
  const [leaf, ...intermediates] = presented;
  if (!leaf) return { kind: 'no-certificate', reason: `the ${role.is} presented no certificate` };
  const usage = role.is === 'server' ? 'server auth' : 'client auth';
  const verdict = verifyChain(leaf, { roots, intermediates, at, usage });
  if (!verdict.valid) return { kind: verdict.code.replace('x509.verify.', ''), reason: verdict.reason };
  const names = identityNames(leaf);
  const [identity] = names;
  if (identity === undefined) {
    return { kind: 'no-name', reason: `the ${role.is}'s certificate holds no DNS or URI name` };
  }
  if (role.is === 'client') return { identity, leaf };
  if (names.includes(role.expected)) return { identity: role.expected, leaf };
  const reason = `the server is ${names.join(', ')}, not ${role.expected}`;
  return { kind: 'wrong-name', reason };
}

export function isRefusal(verdict: Peer | PeerRefusal): verdict is PeerRefusal {
  return 'kind' in verdict;
}

/** The names of a leaf that can be identities, in their order. */
export function identityNames(leaf: Certificate): string[] {
  return leaf.subjectAltNames.flatMap((name) =>
    name.type === 'dns' || name.type === 'uri' ? [name.value] : [],
  );
}
