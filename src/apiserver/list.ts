import type { StoredObject } from './api-object.ts';
import type { ObjectStore } from './object-store.ts';
import type { Selection, View } from './object-view.ts';
import { badRequest, expired, invalid, resourceVersionTooLarge, StatusFault } from './status-errors.ts';

/** One page of a list, all of it as of one revision. */
export interface ListPage {
  objects: StoredObject[];
  revision: number;
  continue?: string;
  /** Known only where nothing is selected away. */
  remaining?: number;
}

/** How long a reader waits for a revision that it knows and this server does not show yet. */
const futureWaitMs = 3_000;

/**
 * The objects that `selection` and the paging parameters of `query` name, as of one revision; later pages stay at
 * the revision of the first (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions).
 *
 * @throws StatusFault Expired where that revision is no longer known; its Status carries a token to go on from
 */
export async function listPage(
  objects: ObjectStore,
  view: View,
  selection: Selection,
  query: URLSearchParams,
): Promise<ListPage> {
  const limit = limitOf(query);
  const wanted = parseRevision(query.get('resourceVersion'));
  const match = query.get('resourceVersionMatch');
  checkMatch(view, query, match);
  const cache = objects.cache(view.type.storage);
  const token = query.get('continue');
  let start = '';
  let revision = objects.revision;
  let all: StoredObject[];
  if (token) {
    if (query.get('resourceVersion')) {
      throw badRequest('specifying resource version is not allowed when using continue');
    }
    const from = readContinue(token);
    start = from.start;
    // -1 says: go on with what there is now, consistent or not.
    revision = from.revision === -1 ? revision : from.revision;
    all = listAtOrExpire(() => cache.listAt(selection.prefix, revision), start);
  } else if (wanted !== undefined && wanted > 0 && (match === 'Exact' || (match === null && limit > 0))) {
    await untilReached(objects, wanted);
    revision = wanted;
    all = cache.listAt(selection.prefix, wanted);
  } else {
    if (wanted !== undefined) await untilReached(objects, wanted);
    revision = objects.revision;
    all = cache.list(selection.prefix);
  }
  const left = (start === '' ? all : all.filter(({ key }) => key > start)).filter(selection.matches);
  if (limit === 0 || left.length <= limit) return { objects: left, revision };
  const page = left.slice(0, limit);
  const unselective = selection.labels.length === 0 && selection.fields.length === 0;
  return {
    objects: page,
    revision,
    continue: writeContinue(revision, page.at(-1)!.key),
    ...(unselective ? { remaining: left.length - limit } : {}),
  };
}

/** @throws StatusFault Timeout (504), which clients retry */
export async function untilReached(objects: ObjectStore, revision: number): Promise<void> {
  if (!(await objects.reached(revision, futureWaitMs))) {
    throw resourceVersionTooLarge(revision, objects.revision);
  }
}

/** @throws StatusFault BadRequest */
export function parseRevision(text: string | null): number | undefined {
  if (!text) return undefined;
  if (!/^\d{1,15}$/.test(text)) {
    throw badRequest(`Invalid value: ${JSON.stringify(text)}: resourceVersion is not a number`);
  }
  return Number(text);
}

function limitOf(query: URLSearchParams): number {
  const text = query.get('limit');
  if (!text) return 0;
  if (!/^-?\d{1,10}$/.test(text))
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Math.max(0, Number(text));
}

function checkMatch({ type }: View, query: URLSearchParams, match: string | null): void {
  if (match === null || match === '') return;
  const wrong = (message: string) =>
    invalid({ group: 'meta.k8s.io', kind: 'ListOptions', name: '' }, [
      { field: 'resourceVersionMatch', type: 'FieldValueForbidden', message: `Forbidden: ${message}` },
    ]);
  if (!query.get('resourceVersion')) {
    throw wrong('resourceVersionMatch is forbidden unless resourceVersion is provided');
  }
  if (query.get('continue')) throw wrong('resourceVersionMatch is forbidden when continue is provided');
  if (match !== 'Exact' && match !== 'NotOlderThan') {
    throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions', name: '' }, [
      {
        field: 'resourceVersionMatch',
        type: 'FieldValueNotSupported',
        message: `Unsupported value: ${JSON.stringify(match)}: supported values: "Exact", "NotOlderThan", ""`,
      },
    ]);
  }
  if (match === 'Exact' && query.get('resourceVersion') === '0') {
    throw wrong(`resourceVersionMatch "Exact" is forbidden for resourceVersion "0" (${type.plural})`);
  }
}

const tooOld =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list ' +
  'without the continue parameter, or use the continue token in this response to retrieve the remainder of the ' +
  'results. Continuing with the provided token results in an inconsistent list - objects that were created, ' +
  'modified, or deleted between the time the first chunk was returned and now may show up in the list.';

function listAtOrExpire(list: () => StoredObject[], start: string): StoredObject[] {
  try {
    return list();
  } catch (error) {
    if (error instanceof StatusFault && error.status.code === 410) {
      throw expired(tooOld, writeContinue(-1, start));
    }
    throw error;
  }
}

function writeContinue(revision: number, start: string): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: revision, start: `${start}\0` })).toString(
    'base64url',
  );
}

function readContinue(token: string): { revision: number; start: string } {
  try {
    const { v, rv, start } = JSON.parse(Buffer.from(token, 'base64url').toString()) as Record<
      string,
      unknown
    >;
    if (v === 'meta.k8s.io/v1' && Number.isSafeInteger(rv) && typeof start === 'string') {
      return { revision: rv as number, start: start.replace(/\0$/, '') };
    }
  } catch {
    // Answered below: whatever is wrong with it, the token is not one of ours.
  }
  throw badRequest('continue key is not valid: it was not given out by this server');
}
