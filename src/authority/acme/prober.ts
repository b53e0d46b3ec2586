/** What came of asking a machine that is to prove something. */
export type Probe<T> = { found: T } | { failure: ProbeFailure };

export interface ProbeFailure {
  type: 'connection' | 'dns' | 'tls';
  /** For whoever runs the machine. */
  detail: string;
}

/**
 * How challenges are tried: all that ACME asks of the network. Each call ends within bounded time, memory and number
 * of redirects, and follows the resolver (ADDRESS:PORT) where one is given.
 */
export interface Prober {
  /** GET without any credential; the status and the beginning of the body, `mostBytes` and one. */
  http(
    url: string,
    options: ProbeOptions & { mostBytes: number },
  ): Promise<Probe<{ status: number; body: Buffer }>>;
  /** The TXT records of a name, the parts of each joined. */
  texts(name: string, options: ProbeOptions): Promise<Probe<string[]>>;
  /** A TLS handshake on port 443 that offers one protocol and asks for one name; the chain that it was shown, DER. */
  tls(
    host: string,
    options: ProbeOptions & { serverName: string; protocol: string },
  ): Promise<Probe<{ protocol: string | undefined; chain: readonly Buffer[] }>>;
}

export interface ProbeOptions {
  /** Empty for the machine's own. */
  resolver: string;
  /** Ends the probe before its time. */
  signal: AbortSignal;
}
