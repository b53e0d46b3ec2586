import http2 from 'node:http2';
import tls from 'node:tls';
import { frameMessage } from '../src/wire/grpc-framing.ts';
import { type CertifyRequest, certifyPath, writeCertifyRequest } from '../src/wire/grpc-identity.ts';
import type { ListenAddress } from '../src/wire/http-server.ts';

export interface CertifyCaller {
  /** One Certify call; rejects where the answer is not a certificate. */
  call: () => Promise<void>;
  close(): void;
}

/**
 * Calls over one kept connection, so that the server's work is measured and not handshakes. Whom it talks to is not
 * judged: it is a load generator on the loopback.
 */
export async function certifyCaller(
  { host, port }: ListenAddress,
  requests: readonly CertifyRequest[],
): Promise<CertifyCaller> {
  const socket = tls.connect({ host, port, minVersion: 'TLSv1.3', rejectUnauthorized: false });
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  const session = http2.connect('http://identity', { createConnection: () => socket });
  const messages = requests.map((request) => frameMessage(writeCertifyRequest(request)));
  let next = 0;
  const call = () =>
    new Promise<void>((resolve, reject) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': certifyPath,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      let status = '';
      const note = (headers: http2.IncomingHttpHeaders) => {
        status = String(headers['grpc-status'] ?? status);
      };
      stream.on('response', note).on('trailers', note).on('error', reject).resume();
      stream.once('close', () => (status === '0' ? resolve() : reject(new Error(`grpc-status ${status}`))));
      stream.end(messages[next++ % messages.length]);
    });
  return { call, close: () => session.destroy() };
}
