import { describe, expect, test } from 'vitest';
import { sets } from './sets.ts';
import { vectorsFolder } from './vectors.ts';

const folder = vectorsFolder(process.env.CAPSTAN_VECTORS);

describe.each(sets)('$name', ({ size, cases, exempt }) => {
  if (folder === undefined) {
    test.skip(`${size} cases: there are no vectors beside this checkout`, () => {});
    return;
  }
  const found = cases(folder);

  test('every case is there', () => {
    expect(found.length).toBe(size);
    expect(found.map(({ id }) => id)).toEqual(expect.arrayContaining(Object.keys(exempt)));
  });

  test.each(found)('$id', ({ id, difference }) => {
    // What is exempt must differ: an exemption that is not needed any more goes.
    expect(difference() === undefined).toBe(!(id in exempt));
  });
});
