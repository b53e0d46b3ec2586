import { Fault } from '../base/fault.ts';
import type { HttpClient, HttpClientOptions, HttpResponse } from '../wire/http-client.ts';
import { epochMs } from './conditions.ts';
import type { VaultAccess } from './vault-credentials.ts';
import { vaultFault } from './vault-fault.ts';

export type HttpClientFactory = (options: HttpClientOptions) => HttpClient;

/** What cert-manager asks of the CA; every value is text, as upstream sends it. */
export interface SignParameters {
  csr: string;
  common_name: string;
  alt_names: string;
  ip_sans: string;
  uri_sans: string;
  /** A Go duration: `48h0m0s`. */
  ttl: string;
  exclude_cn_from_sans: 'true';
}

export interface SignedCertificate {
  /** PEM. */
  certificate: string;
  issuing_ca?: string;
  ca_chain?: readonly string[];
}

export interface TokenFacts {
  /** Epoch milliseconds; undefined for a token that does not end. */
  endsMs: number | undefined;
}

/**
 * One Vault, as one issuer sees it. Failures to get an answer are Faults `wire.request.*`, answers other than success
 * Faults `certmanager.vault.*`.
 */
export interface VaultSession {
  /** Resolves when Vault is initialised and unsealed. */
  checkHealth(): Promise<void>;
  /** What Vault tells of the token; undefined where the token may not ask. */
  lookUpToken(): Promise<TokenFacts | undefined>;
  /** @throws Fault `certmanager.vault.answer` for an answer without a certificate, besides the others */
  sign(parameters: SignParameters): Promise<SignedCertificate>;
  /** Asks for a signature on nothing: a refusal for want of a request proves that everything else was accepted. */
  signNothing(): Promise<HttpResponse>;
}

/** Logs in, unless the issuer holds a token itself. */
export async function openVault(access: VaultAccess, connect: HttpClientFactory): Promise<VaultSession> {
  const send = sender(access, connect(access.connection));
  const token = await tokenOf(access, send, connect);
  const signUrl = `/v1/${access.path}`;
  return {
    async checkHealth() {
      // The health endpoint belongs to no namespace.
      const answer = await send('GET', '/v1/sys/health', { rootNamespace: true });
      if (answer.status === 501) throw unready('Vault is not initialized');
      if (answer.status === 503) throw unready('Vault is sealed');
      if (!isSuccess(answer) && ![429, 472, 473].includes(answer.status)) {
        throw new Fault(
          `error calling Vault /v1/sys/health: ${vaultFault('GET', `${access.server}/v1/sys/health`, answer).message}`,
          { code: 'certmanager.vault.unavailable', blame: 'peer' },
        );
      }
    },
    async lookUpToken() {
      const answer = await send('GET', '/v1/auth/token/lookup-self', { token });
      if (!isSuccess(answer)) return undefined;
      const { data } = readJson(answer) as { data?: { expire_time?: string | null } };
      return { endsMs: epochMs(data?.expire_time ?? undefined) };
    },
    async sign(parameters) {
      const answer = await send('POST', signUrl, { token, body: parameters });
      if (!isSuccess(answer)) throw vaultFault('POST', `${access.server}${signUrl}`, answer);
      const { data } = readJson(answer) as { data?: Partial<SignedCertificate> };
      if (typeof data?.certificate !== 'string') {
        throw new Fault('failed to decode response returned by vault: it holds no certificate', {
          code: 'certmanager.vault.answer',
          blame: 'peer',
        });
      }
      return data as SignedCertificate;
    },
    signNothing: () => send('POST', signUrl, { token, body: {} }),
  };
}

interface SendOptions {
  token?: string;
  body?: object;
  rootNamespace?: boolean;
}

type Send = (method: string, path: string, options: SendOptions) => Promise<HttpResponse>;

function sender({ server, namespace }: VaultAccess, http: HttpClient): Send {
  return async (method, path, { token, body, rootNamespace }) => {
    const url = `${server}${path}`;
    const request = {
      method,
      headers: {
        'x-vault-request': 'true',
        ...(token === undefined ? {} : { 'x-vault-token': token }),
        ...(namespace === undefined || rootNamespace ? {} : { 'x-vault-namespace': namespace }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    };
    const answer = await http.send({ ...request, url });
    // A standby that does not forward names the active node; one step is all that takes.
    const elsewhere = answer.status === 307 ? answer.headers.location : undefined;
    return elsewhere === undefined ? answer : http.send({ ...request, url: new URL(elsewhere, url) });
  };
}

async function tokenOf(access: VaultAccess, send: Send, connect: HttpClientFactory): Promise<string> {
  const { login } = access;
  if (login.method === 'token') return login.token;
  const { url, body, connection } = login;
  const answer = await (connection ? sender(access, connect(connection)) : send)('POST', url, { body });
  if (!isSuccess(answer)) {
    const { message, code } = vaultFault('POST', `${access.server}${url}`, answer);
    throw new Fault(`error logging in to Vault server: ${message}`, {
      code,
      blame: code === 'certmanager.vault.refused' ? 'operator' : 'peer',
    });
  }
  const token = (readJson(answer) as { auth?: { client_token?: unknown } }).auth?.client_token;
  if (typeof token === 'string' && token !== '') return token;
  throw new Fault('no token returned', { code: 'certmanager.vault.answer', blame: 'peer' });
}

function readJson({ body }: HttpResponse): unknown {
  try {
    return JSON.parse(body.toString('utf8')) ?? {};
  } catch (error) {
    throw new Fault(`unable to decode JSON payload: ${(error as Error).message}`, {
      code: 'certmanager.vault.answer',
      blame: 'peer',
      cause: error,
    });
  }
}

function isSuccess({ status }: HttpResponse): boolean {
  return status >= 200 && status < 300;
}

function unready(message: string): Fault {
  return new Fault(message, { code: 'certmanager.vault.unavailable', blame: 'peer' });
}
