import { expect, test } from 'vitest';
import { negotiate } from './representation.ts';

const query = new URLSearchParams();
const able = { table: true, metadata: true };
const table = 'application/json;as=Table;v=v1;g=meta.k8s.io';

test('the first form that can be written wins', () => {
  expect(negotiate(undefined, query, able)).toMatchObject({ media: 'json', as: 'object' });
  expect(negotiate('application/vnd.kubernetes.protobuf,application/json', query, able).media).toBe('json');
  expect(negotiate(`${table},application/json`, query, able).as).toBe('Table');
  expect(negotiate(table.replace('v1', 'v1beta1'), query, able).metaVersion).toBe('v1beta1');
  expect(negotiate(`${table},application/json`, query, { ...able, table: false }).as).toBe('object');
  expect(negotiate('application/yaml;q=0.9,application/json;q=0.1', query, able).media).toBe('yaml');
});

test('what cannot be written is refused', () => {
  expect(() => negotiate('application/vnd.kubernetes.protobuf', query, able)).toThrow(
    /only the following media types/,
  );
  expect(() => negotiate(table, query, { ...able, table: false })).toThrow(/only the following media types/);
});
