import type { ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.ts';
import type { Entropy } from '../base/entropy.ts';
import { type StreamedAnswer, warningHeaders } from './answer.ts';
import { atRevision, type StoredObject } from './api-object.ts';
import { parseRevision, untilReached } from './list.ts';
import type { ObjectStore } from './object-store.ts';
import type { Selection, View } from './object-view.ts';
import type { Representation } from './representation.ts';
import { isTrue } from './request-info.ts';
import { invalid } from './status-errors.ts';
import type { Change } from './watch-cache.ts';

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** Writes one object of a watch in the form that the client asked for. */
export interface FrameWriter {
  /** What tells frames of this form from others, where an event's frame looks the same for every watcher. */
  cacheKey?: string;
  frame(type: EventType, object: StoredObject): Buffer;
  bookmark(revision: number, initialEventsEnd: boolean): Buffer;
}

export interface WatchOptions {
  objects: ObjectStore;
  view: View;
  selection: Selection;
  query: URLSearchParams;
  representation: Representation;
  writer: FrameWriter;
  /** The clients' own time: deadlines and bookmarks are measured on it. */
  clock: Clock;
  entropy: Entropy;
  warnings: readonly string[];
  /** Aborts when the server stops. */
  signal: AbortSignal;
}

const bookmarkEveryMs = 60_000;
const bookmarkBeforeEndMs = 2_000;
const shortestDefaultMs = 30 * 60_000;
/** A client that does not read is cut off; it lists again, which is cheaper than keeping everything for it. */
const unsentLimitBytes = 32 * 2 ** 20;

/**
 * Follows a kind: what it holds now (unless the client knows a revision), then every change, until the deadline.
 *
 * @throws StatusFault before the stream begins; what goes wrong later ends it
 */
export async function watchAnswer(options: WatchOptions): Promise<StreamedAnswer> {
  const { objects, view, query, selection } = options;
  const initial = isTrue(query.get('sendInitialEvents'));
  checkOptions(query);
  const wanted = parseRevision(query.get('resourceVersion'));
  if (wanted !== undefined) await untilReached(objects, wanted);
  const cache = objects.cache(view.type.storage);
  const fromNow = initial || (!query.has('sendInitialEvents') && (wanted ?? 0) === 0);
  // Resolved here, so that "too old" is still an answer with a status of its own.
  const missed = fromNow || wanted === undefined ? [] : cache.changesAfter(wanted);
  const state = fromNow ? cache.list(selection.prefix).filter(selection.matches) : [];
  const revision = objects.revision;
  return {
    stream(response) {
      // Anything committed since the snapshot above is caught up with first.
      const since = cache.changesAfter(Math.max(revision, missed.at(-1)?.revision ?? 0));
      new WatchStream(options, response).run({ state, initial, changes: [...missed, ...since] });
    },
  };
}

function checkOptions(query: URLSearchParams): void {
  if (!query.has('sendInitialEvents')) return;
  if (query.get('resourceVersionMatch') === 'NotOlderThan') return;
  throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions', name: '' }, [
    {
      field: 'resourceVersionMatch',
      type: 'FieldValueForbidden',
      message: 'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
    },
  ]);
}

class WatchStream {
  readonly #options: WatchOptions;
  readonly #response: ServerResponse;
  readonly #bookmarks: boolean;
  readonly #stops: (() => void)[] = [];
  #ended = false;

  constructor(options: WatchOptions, response: ServerResponse) {
    this.#options = options;
    this.#response = response;
    this.#bookmarks = isTrue(options.query.get('allowWatchBookmarks'));
  }

  run({ state, initial, changes }: { state: StoredObject[]; initial: boolean; changes: Change[] }): void {
    const { objects, view, writer, warnings, signal } = this.#options;
    this.#response.writeHead(200, {
      'content-type': 'application/json',
      'cache-control': 'no-cache, private',
      ...warningHeaders(warnings),
    });
    this.#response.flushHeaders();
    for (const object of state) this.#write(writer.frame('ADDED', object));
    for (const change of changes) this.#send(change);
    if (initial && this.#bookmarks) this.#write(writer.bookmark(objects.revision, true));
    this.#stops.push(objects.cache(view.type.storage).subscribe((change) => this.#send(change)));
    this.#schedule();
    const stop = () => this.end();
    this.#response.once('close', stop);
    signal.addEventListener('abort', stop, { once: true });
    this.#stops.push(() => signal.removeEventListener('abort', stop));
    if (signal.aborted) stop();
  }

  #schedule(): void {
    const { clock, query, entropy } = this.#options;
    const asked = Number(query.get('timeoutSeconds') ?? 0) * 1_000;
    // Spread, so that clients which came together do not come back together.
    const spreadMs = (entropy.bytes(2).readUInt16BE() / 65_536) * shortestDefaultMs;
    const endMs = asked > 0 ? asked : shortestDefaultMs + spreadMs;
    this.#stops.push(clock.after(endMs, () => this.end()));
    if (!this.#bookmarks) return;
    if (endMs > bookmarkBeforeEndMs) {
      this.#stops.push(clock.after(endMs - bookmarkBeforeEndMs, () => this.#bookmark()));
    }
    let cancel = () => {};
    const again = () => {
      cancel = clock.after(bookmarkEveryMs, () => {
        this.#bookmark();
        again();
      });
    };
    again();
    this.#stops.push(() => cancel());
  }

  #bookmark(): void {
    this.#write(this.#options.writer.bookmark(this.#options.objects.revision, false));
  }

  #send(change: Change): void {
    const { selection, writer } = this.#options;
    const now = change.type !== 'DELETED' && selection.matches(change.object);
    const before = change.previous !== undefined && selection.matches(change.previous);
    if (!now && !before) return;
    if (now) return this.#write(this.#shared(before ? 'MODIFIED' : 'ADDED', change));
    if (change.type === 'DELETED') return this.#write(this.#shared('DELETED', change));
    // It has left the selection: for this watcher it is gone, as it last looked.
    this.#write(writer.frame('DELETED', atRevision(change.previous!, change.revision)));
  }

  /** The change's frame: written once, shared by every watcher of this form. */
  #shared(type: EventType, change: Change): Buffer {
    const { writer } = this.#options;
    if (writer.cacheKey === undefined) return writer.frame(type, change.object);
    const key = `${type} ${writer.cacheKey}`;
    change.frames ??= new Map();
    let frame = change.frames.get(key);
    if (!frame) {
      frame = writer.frame(type, change.object);
      change.frames.set(key, frame);
    }
    return frame;
  }

  #write(frame: Buffer): void {
    if (this.#ended) return;
    this.#response.write(frame);
    if (this.#response.writableLength > unsentLimitBytes) {
      this.end();
      this.#response.destroy();
    }
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const stop of this.#stops) stop();
    this.#response.end();
  }
}
