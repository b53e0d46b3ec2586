import { durationBounds, type Metrics } from '../base/metrics.ts';
import type { Store } from './store.ts';

/** `store`, with how long it takes to read, list and commit told to `metrics` under Vault's names for its barrier. */
export function meteredStore(store: Store, metrics: Metrics): Store {
  async function timed<T>(name: string, help: string, work: () => Promise<T>): Promise<T> {
    const histogram = metrics.histogram(name, help, durationBounds);
    const start = metrics.ticks();
    try {
      return await work();
    } finally {
      histogram.observe(metrics.ticks() - start);
    }
  }
  return {
    ...store,
    get: (key) => timed('vault_barrier_get', 'Milliseconds to read a value.', () => store.get(key)),
    list: (options) => timed('vault_barrier_list', 'Milliseconds to list.', () => store.list(options)),
    commit: (batch) =>
      timed('vault_barrier_put', 'Milliseconds until a change was durable.', () => store.commit(batch)),
  };
}
