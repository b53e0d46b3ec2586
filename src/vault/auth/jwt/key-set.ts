import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import type { Clock } from '../../../base/clock.ts';
import { minuteMs, secondMs } from '../../../base/duration.ts';
import { describeError, Fault } from '../../../base/fault.ts';
import type { HttpClient, HttpClientOptions } from '../../../wire/http-client.ts';
import { isSignedBy, type Jws } from './jws.ts';

/** A public key that tokens may be signed by. */
export interface VerifyingKey {
  key: KeyObject;
  /** What tokens name it by; undefined where it has no name. */
  id?: string;
  /** The one algorithm that it is for; any that it is able to where absent. */
  algorithm?: string;
}

/** Tells whether a token is signed by one of the keys. */
export interface KeySet {
  /** @throws Fault `vault.jwt.keys` where the keys cannot be had */
  verifies(jws: Jws): Promise<boolean>;
}

/** Whether one of `keys` signed it: the one that it names, any where it names none. */
export function verifiesBy(jws: Jws, keys: readonly VerifyingKey[]): boolean {
  return keys.some(
    ({ key, id, algorithm }) =>
      (jws.keyId === undefined || id === jws.keyId) &&
      (algorithm === undefined || algorithm === jws.algorithm) &&
      isSignedBy(jws, key),
  );
}

export function fixedKeySet(keys: readonly KeyObject[]): KeySet {
  // These have no names, so that of a token says nothing.
  return { verifies: async (jws) => keys.some((key) => isSignedBy(jws, key)) };
}

/** How long fetched keys count, so that one which was taken away is not good for ever. */
const freshMs = 10 * minuteMs;
/** How long they count where the server of keys does not answer. */
const keptMs = 60 * minuteMs;
/** Tokens by unknown keys cost one fetch in this time, however many come. */
const cooldownMs = 10 * secondMs;
const timeoutMs = 10_000;
const keyLimit = 200;

export interface RemoteKeys {
  /** Where the keys are, or where it is told where they are. */
  url: string;
  isDiscovery: boolean;
  /** PEM of what the server must chain to; empty for the machine's own roots. */
  caPem: string;
}

export interface KeySetOptions {
  connect: (options: HttpClientOptions) => HttpClient;
  clock: Clock;
}

/** Keys that a server publishes, fetched when they are needed, again when they are old or one is missing. */
export function remoteKeySet(
  remote: RemoteKeys,
  { connect, clock }: KeySetOptions,
): KeySet & { close(): void } {
  const client = connect({ timeoutMs, ...(remote.caPem === '' ? {} : { ca: remote.caPem }) });
  let keys: readonly VerifyingKey[] | undefined;
  let fetchedMs = -Infinity;
  let triedMs = -Infinity;
  let fetching: Promise<void> | undefined;

  function fetchKeys(): Promise<void> {
    triedMs = clock.now();
    fetching ??= fetchKeySet(client, remote)
      .then((found) => {
        keys = found;
        fetchedMs = clock.now();
      })
      .finally(() => (fetching = undefined));
    return fetching;
  }

  async function current(): Promise<readonly VerifyingKey[]> {
    const ageMs = clock.now() - fetchedMs;
    const rested = clock.now() - triedMs >= cooldownMs;
    if (!keys || (ageMs >= freshMs && rested)) {
      try {
        if (rested || fetching) await fetchKeys();
      } catch (error) {
        if (!keys || ageMs >= keptMs) throw error;
      }
    }
    if (!keys || clock.now() - fetchedMs >= keptMs) throw keysFault('they could not be fetched');
    return keys;
  }

  return {
    async verifies(jws) {
      if (verifiesBy(jws, await current())) return true;
      if (clock.now() - triedMs < cooldownMs && !fetching) return false;
      // It may be signed by a key that is newer than what was fetched.
      await fetchKeys();
      return verifiesBy(jws, await current());
    },
    close: () => client.close(),
  };
}

async function fetchKeySet(client: HttpClient, remote: RemoteKeys): Promise<readonly VerifyingKey[]> {
  const url = remote.isDiscovery ? await discover(client, remote.url) : remote.url;
  return readKeySet(await ask(client, url));
}

/** Where an OpenID provider says that its keys are (OpenID Connect Discovery 1.0 section 4). */
async function discover(client: HttpClient, issuer: string): Promise<string> {
  const base = issuer.replace(/\/$/, '');
  const document = (await ask(client, `${base}/.well-known/openid-configuration`)) as Partial<
    Record<'issuer' | 'jwks_uri', unknown>
  >;
  if (document.issuer !== issuer)
    throw keysFault('the provider calls itself by another name than its address');
  if (typeof document.jwks_uri !== 'string') throw keysFault('the provider does not say where its keys are');
  return document.jwks_uri;
}

async function ask(client: HttpClient, url: string): Promise<unknown> {
  try {
    const { status, body } = await client.send({
      method: 'GET',
      url,
      headers: { accept: 'application/json' },
    });
    if (status !== 200) throw keysFault(`${url} answered ${status}`);
    const parsed: unknown = JSON.parse(body.toString());
    if (typeof parsed !== 'object' || parsed === null) throw keysFault(`${url} answered no JSON object`);
    return parsed;
  } catch (error) {
    if (error instanceof Fault && error.code === 'vault.jwt.keys') throw error;
    throw keysFault(describeError(error));
  }
}

/** The public keys of a JWK set (RFC 7517 section 5); those of kinds that are not known are passed over. */
export function readKeySet(document: unknown): readonly VerifyingKey[] {
  const { keys } = document as { keys?: unknown };
  if (!Array.isArray(keys)) throw keysFault('what was fetched is no JWK set');
  return (keys as unknown[]).slice(0, keyLimit).flatMap((jwk) => {
    const { kty, kid, alg, use } = (jwk ?? {}) as Record<string, unknown>;
    if (!['RSA', 'EC', 'OKP'].includes(kty as string) || (use !== undefined && use !== 'sig')) return [];
    try {
      const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
      return [
        {
          key,
          ...(typeof kid === 'string' ? { id: kid } : {}),
          ...(typeof alg === 'string' ? { algorithm: alg } : {}),
        },
      ];
    } catch {
      return [];
    }
  });
}

function keysFault(why: string): Fault {
  return new Fault(`fetching keys: ${why}`, { code: 'vault.jwt.keys', blame: 'peer' });
}
