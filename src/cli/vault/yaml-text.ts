import { stringify } from 'yaml';
import { entriesOf, isList, NumberText, type Value } from './value.ts';

/** YAML in the form that Vault prints: keys sorted, lists flush with their key, one line end at the end. */
export function yamlText(value: Value): string {
  return stringify(plain(value), { indentSeq: false, lineWidth: 0 });
}

type Plain = null | boolean | string | number | bigint | Plain[] | Map<string, Plain>;

function plain(value: Value): Plain {
  if (value instanceof NumberText)
    return /^-?\d+$/.test(value.text) ? BigInt(value.text) : Number(value.text);
  if (isList(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return new Map(
    entriesOf(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, held]) => [key, plain(held)]),
  );
}
