import { Fault } from '../../src/base/fault.ts';
import type { KubeClient, WatchEvent } from '../../src/kube/kube-client.ts';
import type { KubeObject, Resource } from '../../src/kube/resource.ts';

export interface IssuerKube extends KubeClient {
  /** Stores an object; `silently` keeps the watches from telling of it. */
  put(resource: Resource, object: KubeObject & Record<string, unknown>, silently?: boolean): void;
  /** Who a token belongs to; a token that is not here is not authenticated. */
  tokens: Map<string, string>;
  /** What the API answers to a review in place of a verdict. */
  reviewError: { error?: string; fault?: Fault; onlyWithAudiences?: boolean } | undefined;
  reviews: { token: string; audiences: readonly string[] }[];
  allowed: boolean;
  events(reason: string): { message: string; involvedObject: Record<string, string>; count: number }[];
}

type Stored = KubeObject & Record<string, unknown>;

/** The API as far as the identity service uses it, in memory. */
export function issuerKube(): IssuerKube {
  const objects = new Map<string, Stored>();
  const watchers = new Set<{ plural: string; tell: (event: WatchEvent<Stored>) => void }>();
  let revision = 0;
  const keyOf = ({ plural }: Resource, name: string, namespace = '') => `${plural}/${namespace}/${name}`;
  const nameIn = (fieldSelector: string | undefined) => fieldSelector?.replace('metadata.name=', '');

  const kube: IssuerKube = {
    tokens: new Map(),
    reviews: [],
    reviewError: undefined,
    allowed: true,
    put(resource, object, silently = false) {
      const { name, namespace } = object.metadata;
      const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++revision) } };
      const type = objects.has(keyOf(resource, name, namespace)) ? 'MODIFIED' : 'ADDED';
      objects.set(keyOf(resource, name, namespace), stored);
      if (silently) return;
      for (const { plural, tell } of watchers) if (plural === resource.plural) tell({ type, object: stored });
    },
    events: (reason) =>
      [...objects.values()].filter((object) => object.kind === 'Event' && object.reason === reason) as never,
    async get(resource, name, namespace) {
      return objects.get(keyOf(resource, name, namespace)) as never;
    },
    async list(resource, options = {}) {
      const items = [...objects.entries()]
        .filter(([key]) => key.startsWith(`${resource.plural}/`))
        .map(([, object]) => object)
        .filter(({ metadata }) => metadata.name === (nameIn(options.fieldSelector) ?? metadata.name));
      return { items: items as never, resourceVersion: String(revision) };
    },
    async *watch(resource, { fieldSelector, signal }) {
      const queue: WatchEvent<Stored>[] = [];
      let wake = () => {};
      const watcher = {
        plural: resource.plural,
        tell: (event: WatchEvent<Stored>) => {
          queue.push(event);
          wake();
        },
      };
      watchers.add(watcher);
      signal.addEventListener('abort', () => wake());
      while (!signal.aborted) {
        const event = queue.shift();
        if (!event) await new Promise<void>((resolve) => (wake = resolve));
        else if (event.object.metadata.name === (nameIn(fieldSelector) ?? event.object.metadata.name))
          yield event as never;
      }
      watchers.delete(watcher);
    },
    async create(resource, object) {
      kube.put(resource, object as never);
      return object;
    },
    async mergePatch(resource, { name, namespace }, patch) {
      const object = { ...objects.get(keyOf(resource, name, namespace))!, ...(patch as object) };
      kube.put(resource, object);
      return object as never;
    },
    async ask<T>(path: string, body: unknown): Promise<T> {
      if (path.endsWith('selfsubjectaccessreviews')) {
        return { status: { allowed: kube.allowed, reason: kube.allowed ? undefined : 'no rule' } } as T;
      }
      const { token, audiences } = (body as { spec: { token: string; audiences: string[] } }).spec;
      kube.reviews.push({ token, audiences });
      const { reviewError } = kube;
      if (reviewError?.fault) throw reviewError.fault;
      if (reviewError?.error && (audiences.length > 0 || !reviewError.onlyWithAudiences)) {
        return { status: { error: reviewError.error } } as T;
      }
      const username = kube.tokens.get(token);
      return { status: { authenticated: username !== undefined, user: { username } } } as T;
    },
    replace: notUsed,
    replaceStatus: notUsed,
    apply: notUsed,
    delete: notUsed,
    close() {},
  };
  return kube;
}

function notUsed(): never {
  throw new Fault('identity does not use this', { code: 'test.unused', blame: 'capstan' });
}
