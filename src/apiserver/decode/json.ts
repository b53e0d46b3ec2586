/** Deeper nesting than any object has a use for, and less than recursion over it has stack for. */
export const nestingLimit = 500;

/** What JSON.parse does not tell of a text that it accepts. */
export interface JsonNotes {
  /** Paths (`spec.items[0].name`) of members that a name before them in the same object had already. */
  duplicateFields: string[];
  tooDeep: boolean;
}

interface Level {
  /** The names seen in an object; undefined in a list. */
  names: Set<string> | undefined;
  /** The member or element that is being read. */
  name: string;
  index: number;
  nameNext: boolean;
}

/**
 * Reads the structure of `text`, which must be valid JSON, once more for what JSON.parse leaves out: the last of two
 * members with one name wins silently there, but strict field validation has to name the second.
 */
export function inspectJson(text: string): JsonNotes {
  const levels: Level[] = [];
  const duplicateFields: string[] = [];
  const token = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],:]/g;
  for (let match = token.exec(text); match; match = token.exec(text)) {
    const [found] = match;
    const level = levels.at(-1);
    if (found === '{' || found === '[') {
      if (levels.length === nestingLimit) return { duplicateFields, tooDeep: true };
      const isObject = found === '{';
      levels.push({ names: isObject ? new Set() : undefined, name: '', index: 0, nameNext: isObject });
    } else if (found === '}' || found === ']') {
      levels.pop();
    } else if (found === ',') {
      level!.index++;
      level!.nameNext = level!.names !== undefined;
    } else if (level?.nameNext && found !== ':') {
      level.name = found.includes('\\') ? (JSON.parse(found) as string) : found.slice(1, -1);
      level.nameNext = false;
      if (level.names!.has(level.name)) duplicateFields.push(path(levels));
      level.names!.add(level.name);
    }
  }
  return { duplicateFields, tooDeep: false };
}

function path(levels: readonly Level[]): string {
  return levels
    .map(({ names, name, index }) => (names ? `.${name}` : `[${index}]`))
    .join('')
    .replace(/^\./, '');
}
