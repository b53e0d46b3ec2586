/** What placeholders have matched so far. */
export type Names = Map<string, string>;

/** The kinds of text that a placeholder may stand for; `word` where it names none. */
const kinds: Readonly<Record<string, string>> = {
  word: String.raw`[^\s"\]]+`,
  line: String.raw`[^\n]*`,
  number: String.raw`\d+`,
  uuid: '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}',
  serial: '(?:[0-9a-f]{2}:)+[0-9a-f]{2}',
  time: String.raw`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d[^"\s]*`,
  pem: String.raw`-----BEGIN [A-Z ]+-----\n(?:[A-Za-z0-9+/=]+\n)+-----END [A-Z ]+-----`,
};

const placeholder = /\{\{(?:(\.\.\.)|(\w+)(?::(\w+))?)\}\}/g;

/**
 * Answers `actual` where it is what `template` tells, and adds the names that were met to `names`; else the template
 * with the names known so far filled in, for comparison.
 */
export function matchTemplate(template: string, actual: string, names: Names): string {
  const groups: string[] = [];
  const pattern = template.split(placeholder).map((part, index, parts) => {
    switch (index % 4) {
      case 0:
        return escaped(part);
      case 1:
        return part === undefined ? '' : kinds.line;
      case 2: {
        if (part === undefined) return '';
        const known = names.get(part);
        if (known !== undefined) return escaped(known);
        if (groups.includes(part)) return `\\k<${part}>`;
        groups.push(part);
        return `(?<${part}>${kindOf(parts[index + 1])})`;
      }
      default:
        return '';
    }
  });
  const match = new RegExp(`^${pattern.join('')}$`).exec(actual);
  if (!match)
    return template.replaceAll(placeholder, (whole, _, name?: string) => names.get(name ?? '') ?? whole);
  for (const [name, value] of Object.entries(match.groups ?? {})) names.set(name, value);
  return actual;
}

function kindOf(name = 'word'): string {
  const kind = kinds[name];
  if (kind === undefined) throw new Error(`there is no kind of placeholder called ${JSON.stringify(name)}`);
  return kind;
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`);
}
