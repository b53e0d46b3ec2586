import type { ApiObject } from './api-object.ts';

/** What the two versions of one Event call the same field: core v1 first, events.k8s.io/v1 second. */
const renamed: readonly (readonly [string, string])[] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['source', 'deprecatedSource'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
  ['count', 'deprecatedCount'],
  ['reportingComponent', 'reportingController'],
];

/** An events.k8s.io/v1 Event as the v1 Event that is stored. */
export function asCoreEvent(event: ApiObject): ApiObject {
  return { ...exchange(event, 1, 0), apiVersion: 'v1' };
}

/** A stored v1 Event as events.k8s.io/v1. */
export function asEventsEvent(event: ApiObject): ApiObject {
  return { ...exchange(event, 0, 1), apiVersion: 'events.k8s.io/v1' };
}

function exchange(event: ApiObject, from: 0 | 1, to: 0 | 1): ApiObject {
  const names = new Map(renamed.map((pair) => [pair[from], pair[to]]));
  return Object.fromEntries(
    Object.entries(event).map(([name, value]) => [names.get(name) ?? name, value]),
  ) as ApiObject;
}
