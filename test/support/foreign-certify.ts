import http2 from 'node:http2';
import tls from 'node:tls';
import * as grpc from '@grpc/grpc-js';
import { frameMessage } from '../../src/wire/grpc-framing.ts';
import {
  type CertifyRequest,
  type CertifyResponse,
  certifyPath,
  readCertifyResponse,
  writeCertifyRequest,
} from '../../src/wire/grpc-identity.ts';

/** Certify by gRPC's own implementation for Node: cleartext, or TLS with the given roots and server name. */
export function foreignCertify(
  port: number,
  request: CertifyRequest,
  secure?: { roots: string; serverName: string },
): Promise<CertifyResponse> {
  const credentials = secure
    ? grpc.credentials.createSsl(Buffer.from(secure.roots))
    : grpc.credentials.createInsecure();
  const client = new grpc.Client(`127.0.0.1:${port}`, credentials, {
    ...(secure ? { 'grpc.ssl_target_name_override': secure.serverName } : {}),
  });
  return new Promise<CertifyResponse>((resolve, reject) => {
    client.makeUnaryRequest(
      certifyPath,
      writeCertifyRequest,
      readCertifyResponse,
      request,
      { deadline: new Date(Date.now() + 10_000) },
      (error, reply) => (error ? reject(error) : resolve(reply!)),
    );
  }).finally(() => client.close());
}

/** Certify over TLS 1.3 without ALPN, as linkerd2-proxy dials; answers the handshake's facts and the status. */
export async function certifyWithoutAlpn(
  port: number,
  serverName: string,
  roots: string,
  request: CertifyRequest,
) {
  const socket = tls.connect({
    host: '127.0.0.1',
    port,
    servername: serverName,
    ca: roots,
    minVersion: 'TLSv1.3',
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve);
    socket.once('error', reject);
  });
  const session = http2.connect(`http://${serverName}`, { createConnection: () => socket });
  try {
    const status = await new Promise<string>((resolve, reject) => {
      const stream = session.request({
        ':method': 'POST',
        ':path': certifyPath,
        'content-type': 'application/grpc',
        te: 'trailers',
      });
      stream.on('trailers', (trailers) => resolve(String(trailers['grpc-status'])));
      stream.on('response', (headers) => headers['grpc-status'] && resolve(String(headers['grpc-status'])));
      stream.on('error', reject);
      stream.resume();
      stream.end(frameMessage(writeCertifyRequest(request)));
    });
    return {
      alpn: socket.alpnProtocol,
      protocol: socket.getProtocol(),
      authorized: socket.authorized,
      status,
    };
  } finally {
    session.destroy();
  }
}
