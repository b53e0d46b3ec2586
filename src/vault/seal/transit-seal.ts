import type { Cancel, Clock } from '../../base/clock.ts';
import { minuteMs, secondMs } from '../../base/duration.ts';
import { describeError, Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import type { SecretText } from '../../base/secret.ts';
import type { HttpClient } from '../../wire/http-client.ts';
import type { AutoSeal } from './auto-seal.ts';

export interface TransitOptions {
  http: HttpClient;
  /** Of the other Vault: `https://vault:8200`. */
  address: string;
  /** For the other Vault. */
  token: SecretText;
  /** `transit/` */
  mountPath: string;
  keyName: string;
  /** Whether the token is renewed here. */
  renews: boolean;
  clock: Clock;
  log: Log;
}

const renewalRetryMs = 30 * secondMs;
/** setTimeout and Vault's own limits aside: a token that is good for years is looked at once a day. */
const longestRenewalMs = 24 * 60 * minuteMs;

/** A seal that is a key of another Vault's transit engine, which never tells it: it encrypts and decrypts on demand. */
export function transitSeal(options: TransitOptions): AutoSeal {
  const transit = new Transit(options);
  const newest = async () => versionOf(await transit.encrypt(Buffer.from('which version')));
  return {
    type: 'transit',
    lock: async (_name, secret) => Buffer.from(await transit.encrypt(secret)),
    unlock: (_name, locked) => transit.decrypt(Buffer.from(locked).toString()),
    isStale: async (locked) => versionOf(Buffer.from(locked).toString()) !== (await newest()),
    close: () => transit.close(),
  };
}

/** The version of the key: of `vault:v3:...` it is `v3`. */
function versionOf(ciphertext: string): string {
  return ciphertext.split(':')[1] ?? '';
}

interface TransitAnswer {
  data?: Record<string, unknown>;
  auth?: Record<string, unknown>;
}

class Transit {
  readonly #options: TransitOptions;
  #cancelRenewal: Cancel = () => {};
  #renewing = false;
  #closed = false;

  constructor(options: TransitOptions) {
    this.#options = options;
  }

  async encrypt(secret: Uint8Array): Promise<string> {
    const plaintext = Buffer.from(secret).toString('base64');
    const { data } = await this.#ask('PUT', this.#keyPath('encrypt'), { plaintext });
    const ciphertext = data?.ciphertext;
    if (typeof ciphertext !== 'string') throw this.#away('its answer holds no ciphertext');
    this.#startRenewal();
    return ciphertext;
  }

  async decrypt(ciphertext: string): Promise<Buffer> {
    const { data } = await this.#ask('PUT', this.#keyPath('decrypt'), { ciphertext });
    const plaintext = data?.plaintext;
    if (typeof plaintext !== 'string') throw this.#away('its answer holds no plaintext');
    this.#startRenewal();
    return Buffer.from(plaintext, 'base64');
  }

  close(): void {
    this.#closed = true;
    this.#cancelRenewal();
    this.#options.http.close();
  }

  #keyPath(operation: string): string {
    const { mountPath, keyName } = this.#options;
    return `${mountPath.replace(/^\/+|\/+$/g, '')}/${operation}/${encodeURIComponent(keyName)}`;
  }

  /** From the first time that the token was good for anything. */
  #startRenewal(): void {
    if (this.#renewing || !this.#options.renews || this.#closed) return;
    this.#renewing = true;
    void this.#lookAfterToken();
  }

  async #lookAfterToken(): Promise<void> {
    let againMs: number | undefined;
    try {
      const { data = {} } = await this.#ask('GET', 'auth/token/lookup-self');
      if (data.renewable !== true) return;
      const [ttl, whole] = [Number(data.ttl), Number(data.creation_ttl)];
      // After a third of its time, which leaves the rest for a Vault that is away.
      const left = ttl <= (whole * 2) / 3 ? await this.#renew() : ttl;
      againMs = Math.min((left * secondMs) / 3, longestRenewalMs) || renewalRetryMs;
    } catch (error) {
      againMs = renewalRetryMs;
      this.#options.log.warn('the token of the transit seal could not be renewed', {
        error: describeError(error),
      });
    }
    if (this.#closed) return;
    this.#cancelRenewal = this.#options.clock.after(
      Math.max(againMs, secondMs),
      () => void this.#lookAfterToken(),
    );
  }

  async #renew(): Promise<number> {
    const { auth = {} } = await this.#ask('PUT', 'auth/token/renew-self', {});
    return Number(auth.lease_duration);
  }

  /** @throws Fault `vault.seal.away`, `vault.seal.key` */
  async #ask(method: string, path: string, body?: unknown): Promise<TransitAnswer> {
    const { http, address, token } = this.#options;
    const sent = http.send({
      method,
      url: `${address.replace(/\/+$/, '')}/v1/${path}`,
      headers: {
        'X-Vault-Token': token.reveal(),
        'X-Vault-Request': 'true',
        'Content-Type': 'application/json',
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const { status, body: answer } = await sent.catch((error: unknown) => {
      throw this.#away(describeError(error), error);
    });
    const text = answer.toString();
    if (status >= 200 && status < 300) return parsed(text);
    throw this.#refused(status, path, errorsIn(text));
  }

  #refused(status: number, path: string, errors: string): Fault {
    const said = `${path} answered ${status}${errors ? `: ${errors}` : ''}`;
    if (status === 403) {
      return this.#away(
        said,
        undefined,
        'give a token whose policies allow update on its encrypt and decrypt paths',
      );
    }
    return this.#away(said);
  }

  #away(
    why: string,
    cause?: unknown,
    fix = 'see to it that this server reaches the other one, unsealed',
  ): Fault {
    return new Fault(`the transit seal at ${this.#options.address} is of no help: ${why}`, {
      code: 'vault.seal.away',
      blame: 'peer',
      fix,
      cause,
    });
  }
}

function parsed(text: string): TransitAnswer {
  try {
    return (text.trim() === '' ? {} : JSON.parse(text)) as TransitAnswer;
  } catch {
    return {};
  }
}

function errorsIn(text: string): string {
  try {
    const { errors } = JSON.parse(text) as { errors?: unknown };
    return Array.isArray(errors) ? errors.map(String).join(', ').replace(/\s+/g, ' ').trim() : '';
  } catch {
    return '';
  }
}
