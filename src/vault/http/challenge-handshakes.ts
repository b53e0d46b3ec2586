import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { createSecureContext, createServer, type SecureContext, type TLSSocket } from 'node:tls';
import { acmeProtocol } from '../../authority/acme/challenge-rules.ts';
import type { ChallengeAnswers } from './challenge-answers.ts';
import { offeredProtocols } from './client-hello.ts';

/** Real milliseconds for the first message of a connection. */
const helloTimeMs = 30_000;

/**
 * Lets a TLS server, which does not listen yet, answer `tls-alpn-01` challenges (RFC 8737) while some are waited for.
 * Node chooses a certificate before it knows what protocol is asked for, so the first message is looked at before
 * Node sees it: who asks for the challenge's protocol is answered here, all others as ever.
 */
export function answerHandshakes(server: Server, answers: ChallengeAnswers): void {
  const serve = server.listeners('connection') as ((socket: Socket) => void)[];
  const prover = createServer({
    ALPNProtocols: [acmeProtocol],
    minVersion: 'TLSv1.2',
    SNICallback: (name, done) => done(null, contextOf(answers, name)),
  });
  prover.on('secureConnection', (socket: TLSSocket) => socket.end());
  prover.on('tlsClientError', (_, socket) => socket.destroy());
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const pass = () => {
      for (const listener of serve) listener.call(server, socket);
    };
    if (!answers.awaitsHandshakes) return pass();
    peek(socket, (protocols) => {
      if (protocols.length === 1 && protocols[0] === acmeProtocol) prover.emit('connection', socket);
      else pass();
    });
  });
}

/** Without one the handshake fails. */
function contextOf(answers: ChallengeAnswers, name: string): SecureContext | undefined {
  const found = answers.certificate(name);
  return found && createSecureContext(found);
}

/** Tells what a connection offers, with its bytes back in their place. */
function peek(socket: Socket, then: (protocols: readonly string[]) => void): void {
  let seen = Buffer.alloc(0);
  const late = setTimeout(() => socket.destroy(), helloTimeMs);
  const stop = () => {
    clearTimeout(late);
    socket.off('readable', look).off('error', stop).off('close', stop);
  };
  const look = () => {
    for (let part: Buffer | null; (part = socket.read() as Buffer | null) !== null; ) {
      seen = Buffer.concat([seen, part]);
    }
    const protocols = offeredProtocols(seen);
    if (protocols === 'more' && !socket.readableEnded) return;
    stop();
    if (seen.length > 0) socket.unshift(seen);
    then(protocols === 'more' ? [] : protocols);
  };
  socket.on('readable', look).on('error', stop).on('close', stop);
}
