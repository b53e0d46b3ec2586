import { durationBounds, type Histogram, type Metrics } from '../base/metrics.ts';
import type { Store } from './store.ts';

/** `store`, with how long it takes to read, list and commit told to `metrics` under Vault's names for its barrier. */
export function meteredStore(store: Store, metrics: Metrics): Store {
  const measure = (name: string, help: string) => metrics.histogram(name, help, durationBounds);
  const reads = measure('vault_barrier_get', 'Milliseconds to read a value.');
  const lists = measure('vault_barrier_list', 'Milliseconds to list.');
  const commits = measure('vault_barrier_put', 'Milliseconds until a change was durable.');

  async function timed<T>(histogram: Histogram, work: Promise<T>, start: number): Promise<T> {
    try {
      return await work;
    } finally {
      histogram.observe(metrics.ticks() - start);
    }
  }

  return {
    get: (key) => timed(reads, store.get(key), metrics.ticks()),
    list: (options) => timed(lists, store.list(options), metrics.ticks()),
    commit: (batch) => timed(commits, store.commit(batch), metrics.ticks()),
    revision: () => store.revision(),
    changedKeys: (options) => store.changedKeys(options),
    watch: (options) => store.watch(options),
    snapshot: () => store.snapshot(),
    replace: (pages) => store.replace(pages),
    close: () => store.close(),
  };
}
