import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../base/manual-clock.ts';
import { type ApiObject, encodeObject, storedObject } from './api-object.ts';
import { WatchCache } from './watch-cache.ts';

function stored(name: string, revision: number) {
  const object: ApiObject = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'ns', name },
    revision,
  };
  return storedObject(object, encodeObject(object), revision);
}

test('the past is what it was, at every revision', () => {
  const names = fc.constantFrom('a', 'b', 'c', 'd');
  fc.assert(
    fc.property(fc.array(fc.record({ name: names, gone: fc.boolean() }), { maxLength: 40 }), (steps) => {
      const cache = new WatchCache(new ManualClock(), 0);
      const pasts: string[][] = [[]];
      for (const [index, { name, gone }] of steps.entries()) {
        if (gone) cache.remove(`ns/${name}`, index + 1);
        else cache.put(stored(name, index + 1));
        pasts.push(cache.list('').map(({ json }) => json.toString()));
      }
      for (const [revision, past] of pasts.entries()) {
        expect(cache.listAt('', revision).map(({ json }) => json.toString())).toEqual(past);
      }
    }),
  );
});

test('replaying the changes after any revision leads to the present', () => {
  const cache = new WatchCache(new ManualClock(), 0);
  for (let revision = 1; revision <= 30; revision++) {
    if (revision % 3 === 0) cache.remove(`ns/n${revision % 7}`, revision);
    else cache.put(stored(`n${revision % 7}`, revision));
  }
  for (let from = 0; from <= 30; from++) {
    const replayed = new Map(cache.listAt('', from).map((object) => [object.key, object]));
    for (const { type, object } of cache.changesAfter(from)) {
      if (type === 'DELETED') replayed.delete(object.key);
      else replayed.set(object.key, object);
    }
    const keys = [...replayed.keys()].toSorted();
    expect(keys).toEqual(cache.list('').map(({ key }) => key));
  }
});

test('a namespace lists its own objects alone', () => {
  const cache = new WatchCache(new ManualClock(), 0);
  for (const key of ['a/x', 'a-b/x', 'ab/x', 'a/y']) {
    const [namespace, name] = key.split('/') as [string, string];
    const object: ApiObject = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name } };
    cache.load(storedObject(object, encodeObject(object), 1));
  }
  expect(cache.list('a/').map(({ key }) => key)).toEqual(['a/x', 'a/y']);
});

test('a thousand changes and five minutes are kept, then the oldest are forgotten', async () => {
  const clock = new ManualClock();
  const cache = new WatchCache(clock, 0);
  for (let revision = 1; revision <= 1_500; revision++) cache.put(stored('a', revision));
  expect(cache.changesAfter(0)).toHaveLength(1_500);
  await clock.advance(5 * 60_000);
  cache.put(stored('a', 1_501));
  expect(() => cache.changesAfter(0)).toThrow('too old resource version: 0 (501)');
  expect(cache.changesAfter(501)).toHaveLength(1_000);
});
