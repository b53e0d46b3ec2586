import type { DetailedPeerCertificate, TLSSocket } from 'node:tls';

/** DER of the certificates that the far end showed, its own first; none where it showed none. */
export function peerChain(socket: TLSSocket): Buffer[] {
  const chain: Buffer[] = [];
  // Node links each certificate to its issuer's, a self-signed one to itself.
  let at: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  for (; at?.raw && !chain.some((der) => der.equals(at!.raw)); at = at.issuerCertificate) chain.push(at.raw);
  return chain;
}
