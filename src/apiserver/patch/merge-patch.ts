import { isJsonObject, type Json, patchFault, setMember } from './patch-fault.ts';

/**
 * `object` with a JSON merge patch (RFC 7396) applied: null removes, objects merge, all else replaces.
 *
 * @throws Fault `apiserver.patch.malformed` (400) where the patch is not an object
 */
export function applyMergePatch(object: Json, patch: unknown): Json {
  if (!isJsonObject(patch)) throw patchFault('malformed', 'Invalid JSON Patch: a merge patch is an object');
  return merge(object, patch);
}

function merge(target: unknown, patch: Json): Json {
  const merged: Json = isJsonObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else {
      const before = Object.hasOwn(merged, name) ? merged[name] : undefined;
      setMember(merged, name, isJsonObject(value) ? merge(before, value) : value);
    }
  }
  return merged;
}
