import type { IncomingMessage } from 'node:http';
import { type TLSSocket } from 'node:tls';
import type { UserInfo } from './authorization.ts';
import type { Tokens } from './tokens.ts';

/** Finds out who sends a request; undefined where nobody says, or what they say does not hold. */
export type Authenticator = (request: IncomingMessage) => UserInfo | undefined;

/** Client certificates of the cluster's own CA first, then service-account tokens. */
export function authenticator(tokens: Tokens): Authenticator {
  const bySocket = new WeakMap<TLSSocket, UserInfo>();
  return (request) => {
    const socket = request.socket as TLSSocket;
    // A connection's certificate never changes, so it is read once.
    const known = bySocket.get(socket) ?? certificateUser(socket);
    if (known) {
      bySocket.set(socket, known);
      return known;
    }
    const bearer = /^bearer\s+(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
    if (bearer === undefined) return undefined;
    const check = tokens.check(bearer);
    return check.valid ? check.user : undefined;
  };
}

/** The common name is the user, the organisations are the groups. */
function certificateUser(socket: TLSSocket): UserInfo | undefined {
  if (!socket.encrypted || !socket.authorized) return undefined;
  const subject = socket.getPeerCertificate().subject as { CN?: string; O?: string | string[] } | undefined;
  if (!subject?.CN) return undefined;
  const organisations = subject.O === undefined ? [] : [subject.O].flat();
  return { username: subject.CN, groups: [...new Set([...organisations, 'system:authenticated'])] };
}
