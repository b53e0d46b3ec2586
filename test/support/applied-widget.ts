import { type ManagedFieldsEntry, recordUpdate } from '../../src/apiserver/apply/managed-fields.ts';
import { type ApplyOptions, applyPatch } from '../../src/apiserver/apply/server-side-apply.ts';
import type { SchemaNode } from '../../src/apiserver/schema/schema-node.ts';
import { compileSchema, type Json } from '../../src/apiserver/schema/structural.ts';

/** A kind with a field of each sort that apply tells apart. */
export const widget = compileSchema({
  type: 'object',
  properties: {
    spec: {
      type: 'object',
      properties: {
        a: { type: 'string' },
        b: { type: 'integer' },
        free: { type: 'object', additionalProperties: { type: 'string' } },
        whole: {
          type: 'object',
          additionalProperties: { type: 'string' },
          'x-kubernetes-map-type': 'atomic',
        },
        list: { type: 'array', items: { type: 'string' } },
        set: { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'set' },
        items: {
          type: 'array',
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['name'],
          items: {
            type: 'object',
            required: ['name'],
            properties: { name: { type: 'string' }, value: { type: 'string' }, other: { type: 'string' } },
          },
        },
        any: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
    },
    status: { type: 'object', properties: { ready: { type: 'boolean' } } },
  },
});

export const early = '2026-01-01T00:00:00Z';
export const late = '2026-01-02T00:00:00Z';

export function apply(live: Json | undefined, applied: Json, options: Partial<ApplyOptions> = {}): Json {
  return applyPatch({
    schema: widget,
    live,
    applied,
    manager: 'one',
    force: false,
    nowRfc3339: early,
    apiVersion: 'v1',
    ...options,
  }).object;
}

export function update(
  before: Json | undefined,
  after: Json,
  options: { schema?: SchemaNode; manager?: string; subresource?: string; nowRfc3339?: string } = {},
): Json {
  return recordUpdate({
    schema: widget,
    before,
    after,
    manager: 'writer',
    nowRfc3339: early,
    apiVersion: 'v1',
    ...options,
  });
}

export const entries = (object: Json) =>
  (object['metadata'] as { managedFields?: ManagedFieldsEntry[] }).managedFields ?? [];
export const fieldsBy = (object: Json, manager: string) =>
  entries(object).find((entry) => entry.manager === manager)?.fieldsV1;
export const spec = (value: Json): Json => ({
  apiVersion: 'v1',
  kind: 'Widget',
  metadata: { name: 'w' },
  spec: value,
});
export const specOf = (object: Json) => object['spec'];
export const bare = (object: Json) => {
  const { managedFields: _, ...metadata } = object['metadata'] as Json;
  return { ...object, metadata };
};
