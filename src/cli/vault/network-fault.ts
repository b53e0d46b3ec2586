import { isIP } from 'node:net';
import { Fault } from '../../base/fault.ts';

interface NetworkError extends Error {
  code?: string;
  address?: string;
  port?: number;
  hostname?: string;
  errors?: NetworkError[];
  /** The name that the certificate was to hold. */
  host?: string;
  cert?: { subjectaltname?: string };
}

/**
 * Names a request that got no answer, and why, in the words of Vault's own client, which scripts and people look
 * for.
 */
export function networkFault(fault: Fault, method: string, url: string): Fault {
  const verb = method[0] + method.slice(1).toLowerCase();
  return new Fault(
    `${verb} ${JSON.stringify(url)}: ${reason(fault.cause as NetworkError | undefined) ?? fault.message}`,
    {
      code: 'vault-client.unreachable',
      blame: 'peer',
      cause: fault,
    },
  );
}

function reason(error: NetworkError | undefined): string | undefined {
  // A name with several addresses fails with an error for each; the last one tried is the one told.
  const last = error?.errors?.at(-1) ?? error;
  if (!last) return undefined;
  const unix = last.address !== undefined && last.port === undefined ? unixReason(last) : undefined;
  if (unix) return unix;
  const to = last.address?.includes(':') ? `[${last.address}]:${last.port}` : `${last.address}:${last.port}`;
  switch (last.code) {
    case 'ECONNREFUSED':
      return `dial tcp ${to}: connect: connection refused`;
    case 'EHOSTUNREACH':
      return `dial tcp ${to}: connect: no route to host`;
    case 'ENETUNREACH':
      return `dial tcp ${to}: connect: network is unreachable`;
    case 'ETIMEDOUT':
      return `dial tcp ${to}: i/o timeout`;
    case 'ENOTFOUND':
      return `dial tcp: lookup ${last.hostname}: no such host`;
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${last.hostname}: Temporary failure in name resolution`;
    case 'ECONNRESET':
      return last.message === 'socket hang up' ? 'EOF' : 'read: connection reset by peer';
    case 'EPROTO':
      return 'http: server gave HTTP response to HTTPS client';
    case 'HPE_INVALID_CONSTANT':
      return 'net/http: HTTP/1.x transport connection broken: malformed HTTP response';
    default:
      return (
        tlsReason(last) ?? (/no answer within/.test(last.message) ? 'context deadline exceeded' : undefined)
      );
  }
}

/** Of a socket in the file system, whose address is its path. */
function unixReason({ code, address }: NetworkError): string | undefined {
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'no such file or directory',
    ECONNREFUSED: 'connection refused',
    EACCES: 'permission denied',
  };
  const why = reasons[code ?? ''];
  return why && `dial unix ${address}: connect: ${why}`;
}

function tlsReason({ code, cert, host = '' }: NetworkError): string | undefined {
  switch (code) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
    case 'ERR_TLS_CERT_ALTNAME_INVALID': {
      const kind = isIP(host) ? 'IP Address:' : 'DNS:';
      const names = (cert?.subjectaltname ?? '').split(', ').filter((name) => name.startsWith(kind));
      const held = names.map((name) => name.slice(kind.length)).join(', ');
      return `tls: failed to verify certificate: x509: certificate is valid for ${held}, not ${host}`;
    }
    default:
      return undefined;
  }
}
