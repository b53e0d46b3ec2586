import net from 'node:net';
import type { Clock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { callUnary } from '../wire/grpc-client.ts';
import {
  type CertifyRequest,
  type CertifyResponse,
  certifyPath,
  readCertifyResponse,
  writeCertifyRequest,
} from '../wire/grpc-identity.ts';
import { formatAddress, type ListenAddress } from '../wire/http-server.ts';
import { dialMutualTls } from './dialer.ts';
import type { TrustAnchors } from './trust-anchors.ts';

export interface CertifyClientOptions {
  address: ListenAddress;
  /**
   * The name that the identity service's certificate must hold. Without one the call goes in the clear, which is
   * allowed to a loopback address only: the request carries the workload's token.
   */
  serverName: string | undefined;
  anchors: TrustAnchors;
  clock: Clock;
  /** For one request, in real milliseconds. */
  timeoutMs?: number;
}

const answerLimitBytes = 256 * 1_024;

/**
 * Asks the identity service as linkerd2-proxy does: a connection for each request, TLS 1.3 without ALPN, and
 * without a client certificate, so that an expired leaf never stands in the way of its own renewal.
 *
 * @throws Fault `proxy.identity.cleartext` for a remote address without a name
 */
export function certifyClient(
  options: CertifyClientOptions,
): (request: CertifyRequest, signal: AbortSignal) => Promise<CertifyResponse> {
  const { address, serverName, anchors, clock, timeoutMs = 10_000 } = options;
  if (serverName === undefined && !isLoopback(address.host)) {
    throw new Fault(`tokens are not sent to ${formatAddress(address)} in the clear`, {
      code: 'proxy.identity.cleartext',
      blame: 'operator',
      fix: 'give the name of the identity service, so that TLS can be used',
    });
  }
  return async (request, signal) => {
    const answer = await callUnary({
      connect: async (abort) => {
        if (serverName === undefined) return await dialCleartext(address, abort);
        const expected = serverName;
        return (await dialMutualTls({ address, expected, anchors, clock, timeoutMs, signal: abort })).socket;
      },
      authority: serverName ?? formatAddress(address),
      path: certifyPath,
      message: writeCertifyRequest(request),
      timeoutMs,
      signal,
      messageLimitBytes: answerLimitBytes,
    });
    return readCertifyResponse(answer);
  };
}

function dialCleartext({ host, port }: ListenAddress, signal: AbortSignal): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host, port, signal });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.removeListener('error', reject);
      resolve(socket);
    });
  });
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
