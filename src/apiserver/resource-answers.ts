import type { Answer } from './answer.ts';
import { json } from './answer.ts';
import type { StoredObject } from './api-object.ts';
import type { ListPage } from './list.ts';
import { type View, viewJson, viewObject } from './object-view.ts';
import type { Written } from './registry.ts';
import type { Representation } from './representation.ts';
import { badRequest } from './status-errors.ts';
import { columnsOf, type IncludeObject, partialMetadata, table, tableRow } from './table.ts';
import type { FrameWriter } from './watch.ts';

/** How the answer to one request is to be written. */
export interface Form {
  view: View;
  representation: Representation;
  query: URLSearchParams;
  nowMs: number;
}

/** One object, in the form asked for. */
export async function objectAnswer(form: Form, stored: StoredObject, code = 200): Promise<Answer> {
  const { view, representation } = form;
  const { as, metaVersion } = representation;
  if (as === 'object') return written(form, viewJson(view, stored), code);
  const object = viewObject(view, stored);
  if (as === 'PartialObjectMetadata') return written(form, partialMetadata(object, metaVersion), code);
  const columns = columnsOf(view.type, view.version);
  const row = tableRow(columns, object, { nowMs: form.nowMs, include: includeOf(form.query), metaVersion });
  return json(table(columns, [row], { resourceVersion: String(stored.revision) }, metaVersion), code);
}

/** What a create, update or patch left. */
export function answerWritten(form: Form, { stored, created }: Written): Promise<Answer> {
  return objectAnswer(form, stored, created ? 201 : 200);
}

/** A page of a list. Objects are already serialised, so the page is their bytes joined. */
export async function listAnswer(form: Form, page: ListPage): Promise<Answer> {
  const { view, representation } = form;
  const { as, metaVersion } = representation;
  const metadata = {
    resourceVersion: String(page.revision),
    ...(page.continue === undefined ? {} : { continue: page.continue }),
    ...(page.remaining === undefined ? {} : { remainingItemCount: page.remaining }),
  };
  if (as === 'Table') {
    const columns = columnsOf(view.type, view.version);
    const options = { nowMs: form.nowMs, include: includeOf(form.query), metaVersion };
    const rows = page.objects.map((stored) => tableRow(columns, viewObject(view, stored), options));
    return json(table(columns, rows, metadata, metaVersion));
  }
  if (as === 'PartialObjectMetadata') {
    const items = page.objects.map((stored) => partialMetadata(viewObject(view, stored), metaVersion));
    const kind = 'PartialObjectMetadataList';
    return written(form, { kind, apiVersion: `meta.k8s.io/${metaVersion}`, metadata, items }, 200);
  }
  const { listKind } = view.version.info;
  const head = JSON.stringify({ kind: listKind, apiVersion: view.version.apiVersion, metadata });
  const parts: Buffer[] = [Buffer.from(`${head.slice(0, -1)},"items":[`)];
  for (const [index, stored] of page.objects.entries()) {
    if (index > 0) parts.push(comma);
    parts.push(viewJson(view, stored));
  }
  parts.push(closing);
  return written(form, Buffer.concat(parts), 200);
}

const comma = Buffer.from(',');
const closing = Buffer.from(']}');

/** What YAML 1.1 would read as a time or a truth value is quoted: Go's readers go by it. */
const yaml11 = { version: '1.1' } as const;

/** Anything that is answered rather than stored, or about to be written as it stands. */
export async function written(
  { representation }: Pick<Form, 'representation'>,
  value: unknown,
  code: number,
): Promise<Answer> {
  const { media, pretty } = representation;
  if (media === 'json' && !pretty) {
    const body = Buffer.isBuffer(value) ? value : JSON.stringify(value);
    return { code, contentType: 'application/json', body };
  }
  const plain: unknown = Buffer.isBuffer(value) ? JSON.parse(value.toString()) : value;
  if (media === 'json')
    return { code, contentType: 'application/json', body: `${JSON.stringify(plain, null, 2)}\n` };
  // Hardly any client asks for YAML, so the parser is loaded when one does.
  const { stringify } = await import('yaml');
  return { code, contentType: 'application/yaml', body: stringify(plain, yaml11) };
}

function includeOf(query: URLSearchParams): IncludeObject {
  const include = query.get('includeObject') || 'Metadata';
  if (include === 'None' || include === 'Metadata' || include === 'Object') return include;
  throw badRequest(`unrecognized includeObject value: ${JSON.stringify(include)}`);
}

/** Writes a watch's events in the form asked for. */
export function frameWriter(form: Omit<Form, 'nowMs'>, now: () => number): FrameWriter {
  const { view, representation, query } = form;
  const { as, metaVersion } = representation;
  const { apiVersion, info } = view.version;
  const frame = (type: string, object: Buffer | string) =>
    Buffer.concat([
      Buffer.from(`{"type":"${type}","object":`),
      Buffer.isBuffer(object) ? object : Buffer.from(object),
      lineEnd,
    ]);
  const bookmarkObject = (kind: string, version: string, revision: number, initialEventsEnd: boolean) => ({
    kind,
    apiVersion: version,
    metadata: {
      resourceVersion: String(revision),
      creationTimestamp: null,
      ...(initialEventsEnd ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {}),
    },
  });
  if (as === 'object') {
    return {
      cacheKey: apiVersion,
      frame: (type, stored) => frame(type, viewJson(view, stored)),
      bookmark: (revision, end) =>
        frame('BOOKMARK', JSON.stringify(bookmarkObject(info.kind, apiVersion, revision, end))),
    };
  }
  const metaApi = `meta.k8s.io/${metaVersion}`;
  if (as === 'PartialObjectMetadata') {
    return {
      cacheKey: `${apiVersion} metadata ${metaVersion}`,
      frame: (type, stored) =>
        frame(type, JSON.stringify(partialMetadata(viewObject(view, stored), metaVersion))),
      bookmark: (revision, end) =>
        frame('BOOKMARK', JSON.stringify(bookmarkObject(as, metaApi, revision, end))),
    };
  }
  const columns = columnsOf(view.type, view.version);
  const include = includeOf(query);
  // Clients keep the columns of the first event.
  let first = true;
  const tableOf = (rows: Parameters<typeof table>[1], revision: number) => {
    const shown = first ? columns : undefined;
    first = false;
    return JSON.stringify(table(shown, rows, { resourceVersion: String(revision) }, metaVersion));
  };
  return {
    frame: (type, stored) => {
      const row = tableRow(columns, viewObject(view, stored), { nowMs: now(), include, metaVersion });
      return frame(type, tableOf([row], stored.revision));
    },
    bookmark: (revision, end) => {
      const object = bookmarkObject('PartialObjectMetadata', metaApi, revision, end);
      return frame('BOOKMARK', tableOf([{ cells: columns.map(() => null), object }], revision));
    },
  };
}

const lineEnd = Buffer.from('}\n');
