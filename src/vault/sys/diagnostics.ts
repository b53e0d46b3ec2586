/** What a server can tell of the process and the machine that it runs on. */
export interface Diagnostics {
  /** In the shape of Vault's `sys/host-info`, as far as the system tells; sizes in bytes. */
  host(): {
    cpu: readonly Readonly<Record<string, unknown>>[];
    host: Readonly<Record<string, unknown>>;
    memory: Readonly<Record<string, unknown>>;
  };
  /** Where the process spends its time over so many milliseconds: a V8 CPU profile, JSON. */
  profile: (durationMs: number) => Promise<Buffer>;
}
