/** Compiled patterns; a definition's patterns are few and used again for every object. */
const compiled = new Map<string, (text: string) => boolean>();
const compiledLimit = 1_000;

/**
 * A test of whether text holds a match of `pattern`, which is in Go's syntax (RE2). What differs in spelling only is
 * translated: leading flags, `\A`, `\z`, `(?P<name>`, POSIX classes. A pattern that cannot be compiled matches nothing.
 */
export function matcher(pattern: string): (text: string) => boolean {
  const known = compiled.get(pattern);
  if (known) return known;
  if (compiled.size >= compiledLimit) compiled.clear();
  const expression = compilePattern(pattern);
  const test = (text: string) => expression?.test(text) ?? false;
  compiled.set(pattern, test);
  return test;
}

/** Undefined where `pattern` is no regular expression. */
export function compilePattern(pattern: string): RegExp | undefined {
  const [, flags = '', body = ''] = /^(?:\(\?([ims]+)\))?(.*)$/s.exec(pattern)!;
  const translated = body
    .replaceAll('\\A', '^')
    .replaceAll('\\z', '$')
    .replaceAll('(?P<', '(?<')
    .replace(/\[:(\w+):\]/g, (whole, name: string) => posixClasses[name] ?? whole);
  for (const mode of ['u', '']) {
    try {
      return new RegExp(translated, flags + mode);
    } catch {
      // Unicode mode refuses escapes such as \- and \_ that Go allows; the second round takes them.
    }
  }
  return undefined;
}

const posixClasses: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  digit: '0-9',
  lower: 'a-z',
  upper: 'A-Z',
  space: '\\s',
  punct: '!-\\/:-@\\[-`{-~',
  word: '\\w',
  xdigit: '0-9A-Fa-f',
};
