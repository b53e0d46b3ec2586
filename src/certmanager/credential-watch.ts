import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { splitKey, startInformer } from '../kube/informer.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { type Secret, secrets } from '../kube/resource.ts';

/**
 * Watches the Secrets that issuers read, each by its name: they bear no label of ours, and to keep every Secret of a
 * cluster in memory for the sake of a few is what made upstream's memory grow with its users' Helm releases.
 */
export interface CredentialWatch {
  /** Follows exactly the Secrets in `wanted` (`namespace/name`) from now on. */
  follow(wanted: ReadonlySet<string>): void;
  close(): void;
}

export function credentialWatch(options: {
  client: KubeClient;
  clock: Clock;
  log: Log;
  /** Told of every change of a followed Secret. */
  onChange: (key: string) => void;
}): CredentialWatch {
  const { client, clock, log, onChange } = options;
  const followed = new Map<string, AbortController>();

  function start(key: string): void {
    const { name, namespace } = splitKey(key);
    const ending = new AbortController();
    followed.set(key, ending);
    startInformer<Secret>({
      client,
      resource: secrets,
      options: { namespace: namespace!, fieldSelector: `metadata.name=${name}` },
      clock,
      log,
      signal: ending.signal,
      onChange: () => onChange(key),
    });
  }

  return {
    follow(wanted) {
      for (const [key, ending] of followed) {
        if (wanted.has(key)) continue;
        ending.abort();
        followed.delete(key);
      }
      for (const key of wanted) if (!followed.has(key)) start(key);
    },
    close() {
      for (const ending of followed.values()) ending.abort();
      followed.clear();
    },
  };
}
