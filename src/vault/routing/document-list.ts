import { Fault } from '../../base/fault.ts';
import { commaList, text } from './coerce.ts';

/**
 * A list whose elements may be objects, each kept as its JSON; one text may hold it all, as JSON or with commas.
 *
 * @throws Fault `vault.field`
 */
export function documentList(value: unknown): string[] {
  if (typeof value === 'string' && value.trimStart().startsWith('[')) return documentList(parsed(value));
  if (!Array.isArray(value)) return commaList(value);
  return value.map((element) =>
    typeof element === 'object' && element !== null ? JSON.stringify(element) : text(element).trim(),
  );
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new Fault('expected a list in JSON, got a text that is none', {
      code: 'vault.field',
      blame: 'caller',
      cause,
    });
  }
}
