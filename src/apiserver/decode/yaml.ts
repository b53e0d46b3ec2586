import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { nestingLimit } from './json.ts';

/** Few clients send YAML, so the parser is loaded when the first does. */
const require = createRequire(import.meta.url);

/**
 * The one document in `text`, with the paths of members whose name came before in the same map.
 *
 * @throws Error with the parser's words where it is not YAML, or more than one document
 */
export function parseYaml(text: string): { value: unknown; duplicateFields: string[] } {
  const yaml = require('yaml') as typeof Yaml;
  const document = yaml.parseDocument(text, {
    uniqueKeys: false,
    merge: true,
    version: '1.1',
    schema: 'core',
  });
  const [error] = document.errors;
  if (error) throw error;
  const duplicateFields: string[] = [];
  findDuplicates(yaml, document.contents, '', 0, duplicateFields);
  return { value: document.toJS({ maxAliasCount: 100 }) as unknown, duplicateFields };
}

function findDuplicates(
  yaml: typeof Yaml,
  node: unknown,
  path: string,
  depth: number,
  duplicates: string[],
): void {
  if (depth > nestingLimit) throw new Error(`it nests more than ${nestingLimit} levels`);
  if (yaml.isSeq(node)) {
    for (const [index, item] of node.items.entries()) {
      findDuplicates(yaml, item, `${path}[${index}]`, depth + 1, duplicates);
    }
  }
  if (!yaml.isMap(node)) return;
  const names = new Set<string>();
  for (const { key, value } of node.items) {
    const name = String(yaml.isScalar(key) ? key.value : key);
    const at = path === '' ? name : `${path}.${name}`;
    if (names.has(name)) duplicates.push(at);
    names.add(name);
    findDuplicates(yaml, value, at, depth + 1, duplicates);
  }
}
