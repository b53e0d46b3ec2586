import { expect, test } from 'vitest';
import { sideBySide } from './side-by-side.ts';

test('what begins together goes on step by step, and what comes later in a later turn', async () => {
  const turn = sideBySide();
  const done: string[] = [];
  const work = async (name: string): Promise<void> => {
    await turn();
    done.push(`${name} decides`);
    await Promise.resolve();
    done.push(`${name} signs`);
  };
  const early = Promise.all([work('a'), work('b')]);
  await Promise.resolve();
  expect(done).toEqual([]);
  await early;
  expect(done).toEqual(['a decides', 'b decides', 'a signs', 'b signs']);
  await work('c');
  expect(done.at(-1)).toBe('c signs');
});
