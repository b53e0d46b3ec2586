import { X509Certificate } from 'node:crypto';
import tls from 'node:tls';

/** What a TLS port presents to someone who trusts nobody: its leaf first. */
export function servedCertificates(port: number, serverName: string): Promise<X509Certificate[]> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host: '127.0.0.1',
      port,
      servername: serverName,
      rejectUnauthorized: false,
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const chain: X509Certificate[] = [];
      let next: X509Certificate | undefined = socket.getPeerX509Certificate();
      for (; next; next = next.issuerCertificate) chain.push(next);
      socket.destroy();
      resolve(chain);
    });
  });
}
