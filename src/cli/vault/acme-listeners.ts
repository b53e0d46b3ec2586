import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import type { Entropy } from '../../base/entropy.ts';
import type { Log } from '../../base/log.ts';
import { CertificateKeeper } from '../../vault/acme-client/certificate-keeper.ts';
import { ChallengeAnswers, type ProofCertificate } from '../../vault/http/challenge-answers.ts';
import { httpClient } from '../../wire/http-client.ts';
import { fileCache } from './acme-cache.ts';
import type { AcmeConfig } from './acme-config.ts';
import { unreadable } from './config-blocks.ts';
import type { ListenerConfig } from './listener-config.ts';

/** What keeps the certificates of a server's listeners by ACME, of those that have it so. */
export interface AcmeListeners {
  answers: ChallengeAnswers;
  /** What a listener, by its place among all, is to serve now; undefined where ACME is none of its. */
  material(index: number): ProofCertificate | undefined;
  /** `onChange`: a listener has another from now on. */
  start(onChange: (index: number) => void): void;
  retry(): void;
  stop(): Promise<void>;
}

interface World {
  /** Where relative paths begin. */
  folder: string;
  clock: Clock;
  entropy: Entropy;
  log: Log;
}

export async function acmeListeners(
  listeners: readonly ListenerConfig[],
  world: World,
): Promise<AcmeListeners> {
  const answers = new ChallengeAnswers();
  const keepers = new Map<number, CertificateKeeper>();
  for (const [index, { tls }] of listeners.entries()) {
    if (tls && 'acme' in tls) keepers.set(index, await keeperOf(tls.acme, answers, world));
  }
  return {
    answers,
    material: (index) => keepers.get(index)?.material(),
    start(onChange) {
      for (const [index, keeper] of keepers) keeper.start(() => onChange(index));
    },
    retry() {
      for (const keeper of keepers.values()) keeper.retry();
    },
    async stop() {
      await Promise.all([...keepers.values()].map((keeper) => keeper.stop()));
    },
  };
}

function keeperOf(
  config: AcmeConfig,
  answers: ChallengeAnswers,
  { folder, clock, entropy, log }: World,
): Promise<CertificateKeeper> {
  const { cachePath, caRoot, ...settings } = config;
  return CertificateKeeper.on(settings, {
    ...{ clock, entropy, log, answers },
    cache: fileCache(resolve(folder, cachePath)),
    // Read anew each time: a server that is its own CA has none at first.
    connect: (own) => httpClient(caRoot ? { ca: `${readRoot(resolve(folder, caRoot))}\n${own}` } : {}),
  });
}

function readRoot(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw unreadable('tls_acme_ca_root', error);
  }
}
