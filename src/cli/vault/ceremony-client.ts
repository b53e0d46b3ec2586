import type { Answer, VaultClient } from './client.ts';
import type { VaultRequest } from './request.ts';
import { parseDocument, parseSecret } from './secret.ts';
import type { Value, ValueObject } from './value.ts';

/** OpenBao has what key holders do at other paths: there it takes a token, and is answered in the envelope. */
const twins: readonly (readonly [string, string])[] = [
  ['sys/rekey/', 'sys/rotate/root/'],
  ['sys/rekey-recovery-key/', 'sys/rotate/recovery/'],
  ['sys/generate-root/', 'sys/generate-root-token/'],
];

const notServed = 405;

/** Reads what key holders have begun, or goes on with it where `body` is given. Refusals are thrown. */
export async function askCeremony(client: VaultClient, path: string, body?: Value): Promise<ValueObject> {
  const request: VaultRequest = body === undefined ? { method: 'GET', path } : { method: 'PUT', path, body };
  const { answer, enveloped } = await sendEither(client, request);
  return enveloped ? (parseSecret(answer.body)?.data ?? {}) : parseDocument(answer.body);
}

/** Drops it. Refusals are thrown. */
export async function dropCeremony(client: VaultClient, path: string): Promise<void> {
  await sendEither(client, { method: 'DELETE', path });
}

async function sendEither(
  client: VaultClient,
  request: VaultRequest,
): Promise<{ answer: Answer; enveloped: boolean }> {
  const answer = await client.send(request);
  if (!answer.refusal) return { answer, enveloped: false };
  const [from, to] = twins.find(([prefix]) => request.path.startsWith(prefix)) ?? [];
  if (answer.status !== notServed || from === undefined) throw answer.refusal;
  const other = await client.send({ ...request, path: to + request.path.slice(from.length) });
  if (other.refusal) throw other.refusal;
  return { answer: other, enveloped: true };
}
