import { expect, test } from 'vitest';
import { labelMatcher } from './label-selector.ts';

test('every part must hold', () => {
  const { matches } = labelMatcher({
    matchLabels: { team: 'a' },
    matchExpressions: [
      { key: 'stage', operator: 'In', values: ['prod', 'test'] },
      { key: 'mode', operator: 'NotIn', values: ['off'] },
      { key: 'mesh', operator: 'Exists' },
      { key: 'legacy', operator: 'DoesNotExist' },
    ],
  });
  const good = { team: 'a', stage: 'prod', mesh: '' };
  expect(matches(good)).toBe(true);
  expect(matches({ ...good, mode: 'on' })).toBe(true);
  for (const change of [{ team: 'b' }, { stage: 'dev' }, { mode: 'off' }, { legacy: '' }]) {
    expect(matches({ ...good, ...change })).toBe(false);
  }
  expect(matches({ team: 'a', stage: 'prod' })).toBe(false);
  expect(matches(undefined)).toBe(false);
});

test('an empty selector selects everything', () => {
  expect(labelMatcher({})).toMatchObject({ empty: true, text: '' });
  expect(labelMatcher({}).matches(undefined)).toBe(true);
});

test('selectors print as Kubernetes prints them', () => {
  const { text } = labelMatcher({
    matchLabels: { z: '1', a: '2' },
    matchExpressions: [
      { key: 'm', operator: 'In', values: ['y', 'x'] },
      { key: 'n', operator: 'NotIn', values: ['q'] },
      { key: 'k', operator: 'Exists' },
      { key: 'l', operator: 'DoesNotExist' },
    ],
  });
  expect(text).toBe('a=2,k,!l,m in (x,y),n notin (q),z=1');
});

test.each([
  [{ key: 'a', operator: 'Equals', values: ['b'] }],
  [{ key: 'a', operator: 'In' }],
  [{ key: 'a', operator: 'Exists', values: ['b'] }],
])('%o is refused', (expression) => {
  expect(() => labelMatcher({ matchExpressions: [expression] })).toThrow(
    expect.objectContaining({ code: 'kube.selector' }),
  );
});

test('a label named like a property of every object is no label', () => {
  const { matches } = labelMatcher({ matchExpressions: [{ key: 'constructor', operator: 'Exists' }] });
  expect(matches({})).toBe(false);
});
