import { objectKey, type StoredObject, sameValue } from './api-object.ts';
import { markTerminating } from './custom-resource-status.ts';
import { deletionFinalizers, markDeleted, type Propagation } from './object-lifecycle.ts';
import { type Selection, toStored, type View, viewObject } from './object-view.ts';
import { isReleased, type Registry } from './registry.ts';
import { conflict, forbidden } from './status-errors.ts';

/** What a DELETE says besides the name: metav1.DeleteOptions. */
export interface DeletionOptions {
  propagation?: Propagation;
  preconditions?: { uid?: string; resourceVersion?: string };
  dryRun: boolean;
}

export interface Deletion {
  stored: StoredObject;
  /** False where finalizers have yet to run: the object stays, marked. */
  complete: boolean;
}

const permanentNamespaces = new Set(['default', 'kube-system', 'kube-public']);

/**
 * Deletes one object, or marks it where finalizers must run first. Nothing here runs containers, so no grace
 * period is waited for.
 */
export function deleteObject(
  registry: Registry,
  view: View,
  namespace: string | undefined,
  name: string,
  options: DeletionOptions,
): Promise<Deletion> {
  const { type } = view;
  const { objects, clock } = registry;
  const namespaceItself = type.group === '' && type.plural === 'namespaces';
  return objects.locked(type.storage, objectKey(namespace, name), async () => {
    const stored = registry.find(view, namespace, name);
    if (namespaceItself && permanentNamespaces.has(name)) {
      throw forbidden(type, name, 'this namespace may not be deleted');
    }
    const live = viewObject(view, stored);
    checkPreconditions(view, stored, options);
    let marked = markDeleted(type, live, deletionFinalizers(live, options.propagation), clock.now());
    if (namespaceItself)
      marked = { ...marked, status: { ...(marked['status'] as object), phase: 'Terminating' } };
    if (type.group === 'apiextensions.k8s.io') marked = markTerminating(marked, clock.now());
    if (isReleased(marked)) {
      return { stored: options.dryRun ? stored : await objects.delete(type.storage, stored), complete: true };
    }
    if (options.dryRun || sameValue(live, marked)) return { stored, complete: false };
    return { stored: await objects.put(type.storage, toStored(view, marked), stored), complete: false };
  });
}

/** Deletes what `selection` names, one by one; answers what it was. */
export async function deleteSelected(
  registry: Registry,
  view: View,
  selection: Selection,
  options: DeletionOptions,
): Promise<StoredObject[]> {
  const chosen = registry.objects.cache(view.type.storage).list(selection.prefix).filter(selection.matches);
  const deletions = chosen.map(async ({ namespace, name, uid }) => {
    const own = { ...options, preconditions: { ...options.preconditions, uid } };
    try {
      return (await deleteObject(registry, view, namespace || undefined, name, own)).stored;
    } catch (error) {
      // Someone else was faster, which is as good.
      if (registry.objects.cache(view.type.storage).get(objectKey(namespace, name))?.uid !== uid)
        return undefined;
      throw error;
    }
  });
  return (await Promise.all(deletions)).filter((stored) => stored !== undefined);
}

function checkPreconditions({ type }: View, stored: StoredObject, { preconditions }: DeletionOptions): void {
  const { uid, resourceVersion } = preconditions ?? {};
  if (uid && uid !== stored.uid) {
    const why = `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${stored.uid}`;
    throw conflict(type, stored.name, why);
  }
  if (resourceVersion && resourceVersion !== String(stored.revision)) {
    const why = `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${stored.revision}`;
    throw conflict(type, stored.name, why);
  }
}
