/** A certificate that a server proves a name with (RFC 8737): PEM. */
export interface ProofCertificate {
  cert: string;
  key: string;
}

/** What proves to a CA that this server answers to a name: by the token that is asked for, or by the name. */
export type ChallengeAnswer =
  | { type: 'http-01'; token: string; keyAuthorization: string }
  | { type: 'tls-alpn-01'; serverName: string; certificate: ProofCertificate };

const httpFolder = '/.well-known/acme-challenge/';

/**
 * The challenges of ACME that are being waited for: all listeners of a server answer for all of them, as a CA comes
 * to port 80 or 443, whichever listener the certificate is for.
 */
export class ChallengeAnswers {
  readonly #texts = new Map<string, string>();
  readonly #certificates = new Map<string, ProofCertificate>();

  /** Answers until the function that comes back is called. */
  add(answer: ChallengeAnswer): () => void {
    if (answer.type === 'http-01') return put(this.#texts, answer.token, answer.keyAuthorization);
    return put(this.#certificates, answer.serverName, answer.certificate);
  }

  /** What a GET of that target is answered with (RFC 8555 section 8.3). */
  text(target: string): string | undefined {
    return target.startsWith(httpFolder) ? this.#texts.get(target.slice(httpFolder.length)) : undefined;
  }

  get awaitsHandshakes(): boolean {
    return this.#certificates.size > 0;
  }

  certificate(serverName: string): ProofCertificate | undefined {
    return this.#certificates.get(serverName.toLowerCase());
  }
}

function put<T>(into: Map<string, T>, key: string, value: T): () => void {
  into.set(key, value);
  return () => {
    if (into.get(key) === value) into.delete(key);
  };
}
