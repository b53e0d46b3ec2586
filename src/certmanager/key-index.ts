import { keyOf } from '../kube/informer.ts';
import type { KubeObject } from '../kube/resource.ts';

/**
 * Finds the objects of an informer by something they refer to, without going through all of them: fed by the
 * informer's changes, asked by whoever wakes what depends on a thing.
 */
export interface KeyIndex<T extends KubeObject> {
  update(object: T | undefined, previous: T | undefined): void;
  /** Keys (`namespace/name`) of the objects that refer to `value`. */
  keys(value: string): readonly string[];
}

export function keyIndex<T extends KubeObject>(valuesOf: (object: T) => readonly string[]): KeyIndex<T> {
  const byValue = new Map<string, Set<string>>();
  return {
    update(object, previous) {
      for (const value of previous ? valuesOf(previous) : []) {
        const keys = byValue.get(value);
        keys?.delete(keyOf(previous!.metadata));
        if (keys?.size === 0) byValue.delete(value);
      }
      for (const value of object ? valuesOf(object) : []) {
        const keys = byValue.get(value) ?? new Set();
        byValue.set(value, keys.add(keyOf(object!.metadata)));
      }
    },
    keys: (value) => [...(byValue.get(value) ?? [])],
  };
}
