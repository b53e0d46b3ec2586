import { expect, test } from 'vitest';
import { matchesLabels, parseFieldSelector, parseLabelSelector } from './selectors.ts';

const labels = { app: 'web', tier: 'gold', 'example.com/size': '7' };

test.each([
  ['', true],
  ['app=web', true],
  ['app==web,tier!=lead', true],
  ['app!=web', false],
  ['absent!=x', true],
  ['app in (web, api)', true],
  ['app notin (web,api)', false],
  ['absent notin (x)', true],
  ['app', true],
  ['!app', false],
  ['!absent', true],
  ['example.com/size>6', true],
  ['example.com/size<6', false],
  ['app in (web),tier in (lead)', false],
  ['app=', false],
])('%s: %s', (selector, matches) => {
  expect(matchesLabels(parseLabelSelector(selector), labels)).toBe(matches);
});

test.each(['app in web', 'a b', '=x', 'app in (web'])('%s is refused', (selector) => {
  expect(() => parseLabelSelector(selector)).toThrow(/unable to parse requirement/);
});

test('field selectors take escapes and both signs', () => {
  expect(parseFieldSelector('metadata.name=a\\,b,type!=Opaque,x==y')).toEqual([
    { field: 'metadata.name', equal: true, value: 'a,b' },
    { field: 'type', equal: false, value: 'Opaque' },
    { field: 'x', equal: true, value: 'y' },
  ]);
  expect(() => parseFieldSelector('nonsense')).toThrow(/invalid field selector/);
});
