import { aborted } from '../base/abort.ts';
import { type Clock, sleep } from '../base/clock.ts';
import { secondMs } from '../base/duration.ts';
import type { Entropy } from '../base/entropy.ts';
import { describeError, Fault } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { formatAddress, type ListenAddress } from '../wire/http-server.ts';
import { fingerprint } from '../x509/certificate.ts';
import { formatName } from '../x509/name.ts';
import { certifyClient } from './certify-client.ts';
import { type Credential, type CredentialSource, keepCredential } from './credential.ts';
import { type Dialled, dialMutualTls } from './dialer.ts';
import { answerExchanges, type Conversation, converse } from './exchange.ts';
import { foreignCredential } from './foreign-root.ts';
import { startMutualTlsServer } from './server.ts';
import { followTrustAnchors, type TrustAnchors } from './trust-anchors.ts';

export type MeshedRole =
  | { does: 'listen'; address: ListenAddress }
  | { does: 'connect'; address: ListenAddress; peer: string; intervalMs: number };

export type MeshedCredential =
  | { from: 'identity'; address: ListenAddress; serverName: string | undefined; readToken(): Promise<Buffer> }
  /** Presents no certificate at all. */
  | { from: 'nobody' }
  /** Presents a certificate from a root that nobody trusts. */
  | { from: 'foreign root' };

export interface MeshedEvent {
  event: string;
  [field: string]: unknown;
}

export interface MeshedProcessOptions {
  identity: string;
  anchors: { source: string; read(): Promise<string> };
  credential: MeshedCredential;
  role: MeshedRole;
  /** Judges certificates. */
  clock: Clock;
  /** Real time, for what happens on the network and on disk. */
  pace: Clock;
  entropy: Entropy;
  log: Log;
  /** Ends it. */
  signal: AbortSignal;
  onEvent: (event: MeshedEvent) => void;
}

const anchorsEveryMs = secondMs;
const networkTimeoutMs = 10 * secondMs;

/** One workload and its proxy in one: certified, then serving or dialling until `signal` aborts. */
export async function runMeshedProcess(options: MeshedProcessOptions): Promise<void> {
  const { log, pace, signal, onEvent, role } = options;
  const anchors = await followTrustAnchors({
    ...{ ...options.anchors, pace, everyMs: anchorsEveryMs, log, signal },
    read: () => options.anchors.read(),
    onReloaded: (reloaded) =>
      onEvent({ event: 'anchors-reloaded', anchors: reloaded.map(({ subject }) => formatName(subject)) }),
  });
  const credential = await obtainCredential(options, anchors);
  // Stopped before it was certified.
  if (!credential) return;
  if (role.does === 'listen') await serve(options, anchors, credential, role.address);
  else await dialAgainAndAgain(options, anchors, credential, role);
}

/** Undefined where the process was stopped before it had one. */
async function obtainCredential(
  options: MeshedProcessOptions,
  anchors: TrustAnchors,
): Promise<CredentialSource | undefined> {
  const { identity, credential: from, clock, pace, entropy, log, signal, onEvent } = options;
  if (from.from === 'nobody') return { current: () => undefined, onChange: () => {} };
  if (from.from === 'foreign root') {
    const foreign = await foreignCredential(identity, clock.now(), entropy);
    return { current: () => foreign, onChange: () => {} };
  }
  const keeper = keepCredential({
    ...{ identity, anchors, clock, pace, entropy, log, signal },
    readToken: () => from.readToken(),
    certify: certifyClient({ ...from, anchors, clock, timeoutMs: networkTimeoutMs }),
    onEvent: (told) => {
      if (told.event === 'renewal-failed') onEvent({ ...told });
      else onEvent({ event: told.event, identity, ...describeCredential(told.credential) });
    },
  });
  try {
    await keeper.first;
    return keeper;
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

function describeCredential({ chain, validUntilMs }: Credential): Record<string, unknown> {
  return {
    validUntil: new Date(validUntilMs).toISOString(),
    leaf: fingerprint(chain[0]!),
    issuer: formatName(chain[0]!.issuer),
  };
}

async function serve(
  options: MeshedProcessOptions,
  anchors: TrustAnchors,
  credential: CredentialSource,
  listen: ListenAddress,
): Promise<void> {
  const { identity, clock, log, signal, onEvent } = options;
  const server = await startMutualTlsServer({
    ...{ listen, identity, credential, anchors, clock, log },
    onConnection: (socket, peer) => answerExchanges(socket, { server: identity, client: peer.identity }),
    onRefused: ({ kind, reason, from }) => onEvent({ event: 'refused', kind, reason, from }),
  });
  onEvent({ event: 'listening', address: formatAddress(server.address), identity });
  await aborted(signal);
  await server.close(200);
}

/** A line on a connection that is kept open, then one on a new connection, at every turn. */
async function dialAgainAndAgain(
  options: MeshedProcessOptions,
  anchors: TrustAnchors,
  credential: CredentialSource,
  role: MeshedRole & { does: 'connect' },
): Promise<void> {
  const { pace, signal } = options;
  let kept: Connection | undefined;
  const dial = async (): Promise<Connection> => {
    const { address, peer: expected } = role;
    if (options.credential.from === 'identity' && !credential.current()) {
      throw new Fault('our own certificate has ended', { code: 'proxy.credential.ended', blame: 'peer' });
    }
    const dialled = await dialMutualTls({
      ...{ address, expected, anchors, clock: options.clock, timeoutMs: networkTimeoutMs, signal },
      credential: credential.current(),
    });
    return { ...dialled, conversation: converse(dialled.socket) };
  };
  for (let turn = 1; !signal.aborted; turn++) {
    kept = await talk(options, `${turn}`, 'kept', async () =>
      kept?.socket.destroyed === false ? kept : await dial(),
    );
    const fresh = await talk(options, `${turn}`, 'new', dial);
    fresh?.conversation.close();
    await sleep(pace, role.intervalMs, signal);
  }
  kept?.conversation.close();
}

interface Connection extends Dialled {
  conversation: Conversation;
}

/** One exchange, and the event that tells of it; undefined where it failed. */
async function talk(
  options: MeshedProcessOptions,
  line: string,
  connection: 'kept' | 'new',
  open: () => Promise<Connection>,
): Promise<Connection | undefined> {
  const { onEvent, signal } = options;
  let opened: Connection | undefined;
  try {
    opened = await open();
    const { socket, peer, conversation } = opened;
    const { client } = await conversation.exchange(line, networkTimeoutMs);
    const protocol = `${socket.getProtocol()} ${socket.getCipher().name}`;
    onEvent({
      event: 'exchanged',
      connection,
      client,
      server: peer.identity,
      protocol,
      leaf: fingerprint(peer.leaf),
    });
    return opened;
  } catch (error) {
    opened?.socket.destroy();
    if (signal.aborted) return undefined;
    const refused = refusal(error, opened, options);
    if (refused !== undefined) onEvent({ event: 'refused', connection, reason: refused });
    onEvent({ event: 'failed', connection, reason: refused ?? describeError(error) });
    return undefined;
  }
}

/** In words, why one end would not talk to the other; undefined for a failure of another kind. */
function refusal(
  error: unknown,
  opened: Connection | undefined,
  { credential }: MeshedProcessOptions,
): string | undefined {
  if (!(error instanceof Fault)) return undefined;
  if (error.code.startsWith('proxy.refused.')) return error.message;
  // TLS 1.3 judges the client after the client's side of the handshake is over: a hang-up is all it sees.
  const hungUpAtOnce = error.code === 'proxy.exchange.ended' && opened?.conversation.answered === 0;
  if (!hungUpAtOnce) return undefined;
  const presented = {
    identity: 'a certificate from identity',
    nobody: 'no certificate',
    'foreign root': 'a certificate from another root',
  }[credential.from];
  return `${opened.peer.identity} hung up after the handshake on a client with ${presented}`;
}
