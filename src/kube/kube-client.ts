import type { KubeObject, Resource } from './resource.ts';

export interface ListOptions {
  /** All namespaces where absent. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
}

export interface ObjectList<T extends KubeObject> {
  items: T[];
  resourceVersion: string;
}

export type WatchEvent<T extends KubeObject> =
  | { type: 'ADDED' | 'MODIFIED' | 'DELETED'; object: T }
  /** Progress only: `object` holds a resourceVersion and nothing else. */
  | { type: 'BOOKMARK'; object: T };

/**
 * A client of any Kubernetes API server. Every answer of status 400 and above is thrown as a Fault `kube.<reason>`
 * with the Status' reason in kebab case (`kube.not-found`, `kube.conflict`, `kube.already-exists`, `kube.expired`,
 * `kube.forbidden`, `kube.invalid`), its message the server's own; no answer at all is a Fault `wire.request.*`.
 */
export interface KubeClient {
  /** Undefined where there is no such object. */
  get<T extends KubeObject>(resource: Resource, name: string, namespace?: string): Promise<T | undefined>;
  list<T extends KubeObject>(resource: Resource, options?: ListOptions): Promise<ObjectList<T>>;
  /** Changes after `resourceVersion`, until the server ends the watch or `signal` aborts. */
  watch<T extends KubeObject>(
    resource: Resource,
    options: ListOptions & { resourceVersion: string; signal: AbortSignal },
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(resource: Resource, object: T): Promise<T>;
  /** PUT: refused with `kube.conflict` where metadata.resourceVersion is given and no longer the newest. */
  replace<T extends KubeObject>(resource: Resource, object: T): Promise<T>;
  /** PUT of the status subresource. */
  replaceStatus<T extends KubeObject>(resource: Resource, object: T): Promise<T>;
  /** Server-side apply of the fields in `object`, taking over conflicting ones. */
  apply<T extends KubeObject>(
    resource: Resource,
    object: KubeObject & Record<string, unknown>,
    options: { manager: string; subresource?: string },
  ): Promise<T>;
  /** JSON merge patch (RFC 7396). */
  mergePatch<T extends KubeObject>(
    resource: Resource,
    at: { name: string; namespace?: string; subresource?: string },
    patch: unknown,
  ): Promise<T>;
  /** False where there was no such object. */
  delete(
    resource: Resource,
    name: string,
    namespace?: string,
    preconditions?: { uid?: string },
  ): Promise<boolean>;
  /** POST of a kind that is answered, not stored (TokenReview, TokenRequest, SelfSubjectAccessReview). */
  ask<T>(path: string, body: unknown): Promise<T>;
  close(): void;
}
