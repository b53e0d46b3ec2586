import { isDeepStrictEqual } from 'node:util';
import { isJsonObject, type Json, patchFault, setMember } from './patch-fault.ts';

/** As upstream. */
const operationLimit = 10_000;
/** What `copy` may add up to, so that a small patch cannot make a large object. */
const copiedBytesLimit = 3 * 2 ** 20;

interface Operation {
  op: string;
  path: string;
  from?: string;
  value?: unknown;
}

/**
 * `object` with a JSON patch (RFC 6902) applied: all of it, or nothing.
 *
 * @throws Fault `apiserver.patch.malformed` (400) where it is no patch, `apiserver.patch.failed` (422) where an
 *   operation does not fit the object, `apiserver.patch.large` (413) past 10,000 operations or 3 MiB copied
 */
export function applyJsonPatch(object: Json, patch: unknown): Json {
  const operations = readOperations(patch);
  const root: Json = { '': structuredClone(object) };
  let copiedBytes = 0;
  for (const operation of operations) {
    const { op, path, from } = operation;
    if (op === 'test') test(root, path, operation.value);
    else if (op === 'remove') remove(root, path);
    else if (op === 'add') add(root, path, structuredClone(operation.value));
    else if (op === 'replace') replace(root, path, structuredClone(operation.value));
    else if (op === 'copy') {
      const value = get(root, from!);
      copiedBytes += Buffer.byteLength(JSON.stringify(value));
      if (copiedBytes > copiedBytesLimit) {
        throw patchFault(
          'large',
          `Unable to complete the copy, the accumulated size increase of copy is ${copiedBytes}, exceeding the limit ${copiedBytesLimit}`,
        );
      }
      add(root, path, structuredClone(value));
    } else move(root, from!, path);
  }
  const patched = root[''];
  if (!isJsonObject(patched)) throw patchFault('failed', 'the patch leaves no object');
  return patched;
}

function readOperations(patch: unknown): Operation[] {
  if (!Array.isArray(patch))
    throw patchFault('malformed', 'error decoding patch: a JSON patch is a list of operations');
  if (patch.length > operationLimit) {
    throw patchFault(
      'large',
      `The allowed maximum operations in a JSON patch is ${operationLimit}, got ${patch.length}`,
    );
  }
  return patch.map((operation: unknown) => {
    if (!isJsonObject(operation))
      throw patchFault('malformed', 'error decoding patch: an operation must be an object');
    const { op, path, from } = operation;
    const known = ['add', 'remove', 'replace', 'move', 'copy', 'test'];
    if (typeof op !== 'string' || !known.includes(op))
      throw patchFault('malformed', `Unexpected kind: ${JSON.stringify(op)}`);
    if (typeof path !== 'string') throw patchFault('malformed', `the ${op} operation needs a path`);
    if ((op === 'move' || op === 'copy') && typeof from !== 'string') {
      throw patchFault('malformed', `the ${op} operation needs a from`);
    }
    if ((op === 'add' || op === 'replace' || op === 'test') && operation['value'] === undefined) {
      throw patchFault('malformed', `the ${op} operation needs a value`);
    }
    return operation as unknown as Operation;
  });
}

/** The parts of a JSON pointer (RFC 6901), behind the name under which the whole object is kept. */
function parts(pointer: string): string[] {
  if (pointer !== '' && !pointer.startsWith('/'))
    throw patchFault('malformed', `${JSON.stringify(pointer)} is no JSON pointer`);
  return pointer.split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

function missing(op: string, path: string): Error {
  return patchFault(
    'failed',
    `${op} operation does not apply: doc is missing path: ${JSON.stringify(path)}: missing value`,
  );
}

/** What holds the place, and the place's name or index in it. */
function holder(root: Json, op: string, path: string): [Json | unknown[], string] {
  const names = parts(path);
  const last = names.pop()!;
  let value: unknown = root;
  for (const name of names) {
    value = memberOf(value, name);
    if (value === undefined) throw missing(op, path);
  }
  if (!isJsonObject(value) && !Array.isArray(value)) throw missing(op, path);
  return [value, last];
}

function memberOf(value: unknown, name: string): unknown {
  if (Array.isArray(value)) return isIndex(name) ? value[Number(name)] : undefined;
  return isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}

function isIndex(name: string): boolean {
  return /^(0|[1-9]\d{0,8})$/.test(name);
}

function get(root: Json, path: string, op = 'copy'): unknown {
  const [parent, name] = holder(root, op, path);
  const value = memberOf(parent, name);
  if (value === undefined) throw missing(op, path);
  return value;
}

function add(root: Json, path: string, value: unknown): void {
  const [parent, name] = holder(root, 'add', path);
  if (!Array.isArray(parent)) return setMember(parent, name, value);
  const index = name === '-' ? parent.length : isIndex(name) ? Number(name) : -1;
  if (index < 0 || index > parent.length) {
    throw patchFault(
      'failed',
      `add operation does not apply: Unable to access invalid index: ${name}: invalid index referenced`,
    );
  }
  parent.splice(index, 0, value);
}

function remove(root: Json, path: string): void {
  const [parent, name] = holder(root, 'remove', path);
  if (memberOf(parent, name) === undefined) {
    throw patchFault(
      'failed',
      `remove operation does not apply: Unable to remove nonexistent key: ${name}: missing value`,
    );
  }
  if (Array.isArray(parent)) parent.splice(Number(name), 1);
  else delete parent[name];
}

function replace(root: Json, path: string, value: unknown): void {
  const [parent, name] = holder(root, 'replace', path);
  if (memberOf(parent, name) === undefined) {
    throw patchFault(
      'failed',
      `replace operation does not apply: doc is missing key: ${path}: missing value`,
    );
  }
  if (Array.isArray(parent)) parent[Number(name)] = value;
  else setMember(parent, name, value);
}

function move(root: Json, from: string, path: string): void {
  const value = get(root, from, 'move');
  if (path.startsWith(`${from}/`))
    throw patchFault('failed', `move operation does not apply: ${path} is inside ${from}`);
  remove(root, from);
  add(root, path, value);
}

function test(root: Json, path: string, value: unknown): void {
  const [parent, name] = holder(root, 'test', path);
  // A test for null also passes where there is nothing, as upstream has it.
  const found = memberOf(parent, name) ?? null;
  if (!isDeepStrictEqual(found, value)) {
    throw patchFault('failed', `testing value ${path} failed: test failed`);
  }
}
