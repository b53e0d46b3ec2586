import { expect, test } from 'vitest';
import { arrows, brokenArrows } from './arrows.ts';
import { sources } from './sources.ts';

test('rooms import only the rooms below them', () => {
  const found = sources('src');
  expect(found.length).toBeGreaterThan(10);
  expect(brokenArrows(found)).toEqual([]);
});

test('the arrows have no cycle', () => {
  const reach = (room: string, seen: readonly string[]): void => {
    expect(seen).not.toContain(room);
    for (const next of arrows[room] ?? []) if (next !== '*') reach(next, [...seen, room]);
  };
  for (const room of Object.keys(arrows)) reach(room, []);
});

test('a broken arrow is found and named', () => {
  const wrong = { path: 'src/x509/der.ts', text: "import { x } from '../vault/server.ts';\n" };
  expect(brokenArrows([wrong])).toEqual([
    'src/x509/der.ts imports src/vault/server.ts: x509 may not import vault',
  ]);
  const dynamic = { path: 'src/kube/a.ts', text: "const a = await import('../apiserver/b.ts');" };
  expect(brokenArrows([dynamic])).toHaveLength(1);
});
