import { Fault } from '../../base/fault.ts';
import type { HttpClient, HttpResponse } from '../../wire/http-client.ts';
import { AcmeRefusal, readObject, refusalOf, retryAfterMs } from './acme-fault.ts';
import { type AccountSigner, accountBinding, type ExternalAccount, signedJws } from './jws-signing.ts';

/** Where a CA takes what (RFC 8555 section 7.1.1). */
export interface AcmeDirectory {
  newNonce: string;
  newAccount: string;
  newOrder: string;
  /** Absent where the CA does not tell when to renew (RFC 9773). */
  renewalInfo?: string;
}

export interface AcmeReply {
  body: Readonly<Record<string, unknown>>;
  text: string;
  /** What was made; undefined where the answer names none. */
  location: string | undefined;
  retryAfterMs: number | undefined;
}

export interface SessionOptions {
  http: HttpClient;
  signer: AccountSigner;
  signal: AbortSignal;
}

export interface NewAccount {
  /** Empty for none. */
  email: string;
  /** What proves an account outside of ACME, where the CA wants one. */
  binding: ExternalAccount | undefined;
}

/** A nonce may have run out in the meantime. */
const mostTries = 4;
const userAgent = 'capstan-acme';

/** One conversation with a CA, by one account. */
export class AcmeSession {
  readonly directory: AcmeDirectory;
  readonly #http: HttpClient;
  readonly #signer: AccountSigner;
  readonly #signal: AbortSignal;
  #account: string | undefined;
  #nonce: string | undefined;

  /** @throws Fault `vault.acme-client.directory` where there is no directory, `wire.request.*` */
  static async open(url: string, options: SessionOptions): Promise<AcmeSession> {
    const { http, signal } = options;
    const response = await http.send({ method: 'GET', url, headers: { 'user-agent': userAgent }, signal });
    return new AcmeSession(readDirectory(url, response), options);
  }

  private constructor(directory: AcmeDirectory, { http, signer, signal }: SessionOptions) {
    this.directory = directory;
    this.#http = http;
    this.#signer = signer;
    this.#signal = signal;
  }

  get thumbprint(): string {
    return this.#signer.publicKey.thumbprint;
  }

  /** From here on requests are those of the signer's account, which is made where there is none (RFC 8555 section 7.3). */
  async enter({ email, binding }: NewAccount): Promise<void> {
    const { newAccount } = this.directory;
    this.#account = undefined;
    const reply =
      (await this.#existing()) ??
      (await this.post('make an account', newAccount, {
        termsOfServiceAgreed: true,
        ...(email === '' ? {} : { contact: [`mailto:${email}`] }),
        ...(binding
          ? { externalAccountBinding: accountBinding(newAccount, binding, this.#signer.publicKey) }
          : {}),
      }));
    this.#account = required(reply.location, 'the account that the ACME server made has no URL');
  }

  async #existing(): Promise<AcmeReply | undefined> {
    try {
      return await this.post('show the account', this.directory.newAccount, { onlyReturnExisting: true });
    } catch (error) {
      if (error instanceof AcmeRefusal && error.type === 'accountDoesNotExist') return undefined;
      throw error;
    }
  }

  /** `payload` undefined for POST-as-GET. @throws AcmeRefusal, Fault `wire.request.*` */
  async post(doing: string, url: string, payload?: object): Promise<AcmeReply> {
    for (let tries = 1; ; tries++) {
      const response = await this.#send(url, payload);
      if (response.status >= 200 && response.status < 300) return replyOf(response);
      const refusal = refusalOf(doing, response);
      if (refusal.type !== 'badNonce' || tries === mostTries) throw refusal;
    }
  }

  /** Anybody may ask (RFC 9773 section 4.1). @throws AcmeRefusal, Fault `wire.request.*` */
  async get(doing: string, url: string): Promise<AcmeReply> {
    const headers = { 'user-agent': userAgent };
    const response = await this.#http.send({ method: 'GET', url, headers, signal: this.#signal });
    if (response.status === 200) return replyOf(response);
    throw refusalOf(doing, response);
  }

  async #send(url: string, payload: object | undefined): Promise<HttpResponse> {
    const nonce = this.#nonce ?? (await this.#newNonce());
    this.#nonce = undefined;
    const by = this.#account === undefined ? { jwk: this.#signer.publicKey.jwk } : { kid: this.#account };
    const response = await this.#http.send({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/jose+json', 'user-agent': userAgent },
      body: signedJws({ ...by, nonce, url }, payload, this.#signer),
      signal: this.#signal,
    });
    this.#nonce = headerOf(response, 'replay-nonce');
    return response;
  }

  async #newNonce(): Promise<string> {
    const url = this.directory.newNonce;
    const headers = { 'user-agent': userAgent };
    const response = await this.#http.send({ method: 'HEAD', url, headers, signal: this.#signal });
    return required(headerOf(response, 'replay-nonce'), 'the ACME server gives out no nonces');
  }
}

function readDirectory(url: string, response: HttpResponse): AcmeDirectory {
  const { newNonce, newAccount, newOrder, renewalInfo } = readObject(response.body);
  const urls = [newNonce, newAccount, newOrder];
  if (response.status !== 200 || !urls.every((one) => typeof one === 'string' && URL.canParse(one))) {
    throw new Fault(`${url} is no ACME directory: ${refusalOf('show it', response).message}`, {
      code: 'vault.acme-client.directory',
      blame: 'peer',
      fix: 'unseal that server or enable ACME there, or correct tls_acme_ca_directory',
    });
  }
  const [nonce, account, order] = urls as [string, string, string];
  return {
    newNonce: nonce,
    newAccount: account,
    newOrder: order,
    ...(typeof renewalInfo === 'string' && URL.canParse(renewalInfo) ? { renewalInfo } : {}),
  };
}

function replyOf(response: HttpResponse): AcmeReply {
  return {
    body: readObject(response.body),
    text: response.body.toString('latin1'),
    location: headerOf(response, 'location'),
    retryAfterMs: retryAfterMs(response.headers['retry-after']),
  };
}

function headerOf({ headers }: HttpResponse, name: string): string | undefined {
  const value = headers[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function required(value: string | undefined, message: string): string {
  if (value !== undefined) return value;
  throw unreadable(message);
}

/** An answer that the protocol does not allow. */
export function unreadable(message: string): Fault {
  return new Fault(message, { code: 'vault.acme-client.answer', blame: 'peer' });
}
