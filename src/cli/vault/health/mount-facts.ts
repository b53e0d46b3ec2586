import { Fault } from '../../../base/fault.ts';
import { type Certificate, isSelfSigned, readCertificates } from '../../../x509/certificate.ts';
import type { VaultClient } from '../client.ts';
import { texts } from '../pki-issuer.ts';
import type { ValueObject } from '../value.ts';

/** What a server answered at a path; checks share what was asked once. */
export interface Fact {
  path: string;
  state: 'known' | 'denied' | 'unsupported' | 'absent';
  /** Empty where it is not known. */
  data: ValueObject;
}

export interface KnownCertificate {
  id: string;
  certificate: Certificate;
}

/** What checks look at: one mount of a server, as far as the token lets them. */
export class MountFacts {
  /** Without slashes at its ends. */
  readonly mount: string;
  readonly nowMs: number;
  readonly #client: VaultClient;
  readonly #asked = new Map<string, Promise<Fact>>();

  constructor(client: VaultClient, mount: string, nowMs: number) {
    this.#client = client;
    this.mount = mount;
    this.nowMs = nowMs;
  }

  get hasToken(): boolean {
    return this.#client.token !== '';
  }

  /** Below the mount. */
  read(path: string): Promise<Fact> {
    return this.#fact(`${this.mount}/${path}`, false);
  }

  list(path: string): Promise<Fact> {
    return this.#fact(`${this.mount}/${path}`, true);
  }

  tune(): Promise<Fact> {
    return this.#fact(`sys/mounts/${this.mount}/tune`, false);
  }

  /** @throws Fault where the mount has none: there is then nothing to look at */
  async issuerIds(): Promise<string[]> {
    const fact = await this.list('issuers');
    if (fact.state === 'absent') {
      throw new Fault('this mount lacks any configured issuers, limiting health check usefulness', {
        code: 'cli.health',
        blame: 'caller',
      });
    }
    return texts(fact.data.keys);
  }

  async issuers(): Promise<KnownCertificate[]> {
    const ids = await this.issuerIds();
    const facts = await Promise.all(ids.map((id) => this.read(`issuer/${id}/json`)));
    return facts.flatMap((fact, index) =>
      certificatesIn(fact).map((certificate) => ({ id: ids[index]!, certificate })),
    );
  }

  /** Those that signed themselves. */
  async roots(): Promise<KnownCertificate[]> {
    return (await this.issuers()).filter(({ certificate }) => isSelfSigned(certificate));
  }

  async #fact(path: string, listed: boolean): Promise<Fact> {
    const key = listed ? `${path}/` : path;
    const asked = this.#asked.get(key) ?? this.#ask(path, listed);
    this.#asked.set(key, asked);
    return asked;
  }

  async #ask(path: string, listed: boolean): Promise<Fact> {
    const fact = { path: `/${path}`, data: {} };
    try {
      const query = listed ? { query: { list: 'true' } } : {};
      const secret = await this.#client.ask({ method: 'GET', path, ...query });
      return { ...fact, state: 'known', data: secret?.data ?? {} };
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      const { message } = error;
      if (message.includes('permission denied')) return { ...fact, state: 'denied' };
      if (message.includes('unsupported path')) return { ...fact, state: 'unsupported' };
      if (message.includes('unable to find') || /Code: 404\. Errors:\s*$/.test(message)) {
        return { ...fact, state: 'absent' };
      }
      throw error;
    }
  }
}

/** The certificate in an answer, if it holds one. */
export function certificatesIn({ data: { certificate } }: Fact): Certificate[] {
  return typeof certificate === 'string' ? readCertificates(certificate).slice(0, 1) : [];
}
