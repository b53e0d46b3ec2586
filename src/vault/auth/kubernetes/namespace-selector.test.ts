import { expect, test } from 'vitest';
import { namespaceSelector } from './namespace-selector.ts';

test.each([
  ['{"matchLabels":{"a":"b"}}', { a: 'b' }, true],
  ['{"matchLabels":{"a":"b"}}', { a: 'c' }, false],
  ['matchLabels:\n  a: b\n', { a: 'b', c: 'd' }, true],
  ['{"matchExpressions":[{"key":"a","operator":"In","values":["b","c"]}]}', { a: 'c' }, true],
  ['{"matchExpressions":[{"key":"a","operator":"In","values":["b"]}]}', {}, false],
  ['{"matchExpressions":[{"key":"a","operator":"NotIn","values":["b"]}]}', {}, true],
  ['{"matchExpressions":[{"key":"a","operator":"NotIn","values":["b"]}]}', { a: 'b' }, false],
  ['{"matchExpressions":[{"key":"a","operator":"Exists"}]}', { a: '' }, true],
  ['{"matchExpressions":[{"key":"a","operator":"DoesNotExist"}]}', { a: '' }, false],
  ['{"matchLabels":{"a":"b"},"matchExpressions":[{"key":"c","operator":"Exists"}]}', { a: 'b' }, false],
  ['{"matchExpressions":[{"key":"toString","operator":"Exists"}]}', {}, false],
])('%s on %j: %s', (text, labels, matches) => {
  expect(namespaceSelector(text)(labels as Record<string, string>)).toBe(matches);
});

test.each([
  '',
  '[]',
  '{}',
  '{"matchLabel":{"a":"b"}}',
  '{"matchLabels":{"a":1}}',
  '{"matchLabels":["a"]}',
  '{"matchExpressions":[{"key":"a","operator":"Like","values":["b"]}]}',
  '{"matchExpressions":[{"key":"a","operator":"In"}]}',
  '{"matchExpressions":[{"key":"a","operator":"Exists","values":["b"]}]}',
  'a: &a [*a]',
  '{"a":',
])('%j selects nothing, and is refused', (text) => {
  expect(() => namespaceSelector(text)).toThrow('invalid "bound_service_account_namespace_selector"');
});
