import { Fault } from '../base/fault.ts';
import type { Store } from './store.ts';

/**
 * What keeps facts in memory in step with a store that other nodes write to. Whoever holds such facts says where they
 * come from and how to read them anew; whoever is about to use any waits for `fresh` first. So what any node has
 * acknowledged before that is seen, at the cost of one look at the store, which all that wait at once share.
 */
export interface Following {
  /** `reload` is called after changes below `prefixes`, before `fresh` resolves. The answer ends that. */
  follow(prefixes: readonly string[], reload: () => Promise<void>): () => void;
  /** Resolves once every follower has seen whatever was committed before this call. @throws Fault `store.unavailable` */
  fresh(): Promise<void>;
}

interface Follower {
  prefixes: readonly string[];
  reload: () => Promise<void>;
}

export async function following(store: Pick<Store, 'changedKeys' | 'revision'>): Promise<Following> {
  return new StoreFollowing(store, await store.revision());
}

class StoreFollowing implements Following {
  readonly #store: Pick<Store, 'changedKeys' | 'revision'>;
  readonly #followers = new Set<Follower>();
  /** All up to there has been seen. */
  #seen: number;
  #looking: Promise<void> | undefined;
  #next: Promise<void> | undefined;

  constructor(store: Pick<Store, 'changedKeys' | 'revision'>, seen: number) {
    this.#store = store;
    this.#seen = seen;
  }

  follow(prefixes: readonly string[], reload: () => Promise<void>): () => void {
    const follower = { prefixes, reload };
    this.#followers.add(follower);
    return () => void this.#followers.delete(follower);
  }

  fresh(): Promise<void> {
    // A look that is under way may have begun too early to see everything: the next one is for all who come meanwhile.
    if (this.#looking) return (this.#next ??= this.#after(this.#looking));
    this.#looking = this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #after(look: Promise<void>): Promise<void> {
    await look.catch(() => {});
    this.#next = undefined;
    await this.fresh();
  }

  async #look(): Promise<void> {
    for (let more = true; more; ) {
      const known = new Set(this.#followers);
      let changed: Changed;
      try {
        changed = await this.#changed([...known].flatMap(({ prefixes }) => prefixes));
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'store.watch.compacted') throw error;
        changed = { upTo: await this.#store.revision(), more: false, keys: undefined };
      }
      const { keys, upTo } = changed;
      // One that came during the look may have read before it: nobody looked for its changes.
      const behind = [...this.#followers].filter(
        (follower) => !keys || !known.has(follower) || touches(follower, keys),
      );
      // One after the other, in the order in which they came: later ones may build on what earlier ones have.
      for (const { reload } of behind) await reload();
      this.#seen = upTo;
      more = changed.more;
    }
  }

  async #changed(prefixes: readonly string[]): Promise<Changed> {
    const { upTo, more, commits } = await this.#store.changedKeys({ prefixes, after: this.#seen });
    return { upTo, more, keys: commits.flatMap(({ puts, deletes }) => [...puts, ...deletes]) };
  }
}

interface Changed {
  upTo: number;
  more: boolean;
  /** Undefined for all. */
  keys: readonly string[] | undefined;
}

function touches({ prefixes }: Follower, keys: readonly string[]): boolean {
  return keys.some((key) => prefixes.some((prefix) => key.startsWith(prefix)));
}
