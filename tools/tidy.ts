import { imports, type Source } from './sources.ts';

interface Rule {
  why: string;
  applies(path: string): boolean;
  /** A finding for each match in the file's text, comments and strings included. */
  pattern: RegExp;
}

const isTest = (path: string) => path.endsWith('.test.ts') || path.startsWith('test/');
const inSource = (path: string) => path.startsWith('src/') && !isTest(path);
const inRooms = (path: string) => inSource(path) && !/^src\/(app|cli|base)\//.test(path);

/** Words and calls that the house does without, each with its reason. */
const rules: readonly Rule[] = [
  {
    why: 'time is an argument: take a Clock (base/clock.ts)',
    applies: inRooms,
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bsetInterval\(/g,
  },
  {
    why: 'randomness is an argument: take an Entropy (base/entropy.ts)',
    applies: inRooms,
    pattern: /\bMath\.random\(|\brandomBytes\(|\brandomUUID\(/g,
  },
  {
    why: 'the environment is an argument: only cli/main.ts reads process',
    applies: (path) => inSource(path) && path !== 'src/cli/main.ts',
    pattern: /\bprocess\.(env|argv|stdin|stdout|stderr|exit|cwd)\b/g,
  },
  {
    why: 'finish it or say so in an issue',
    applies: () => true,
    pattern: /\b(?:TO(?:DO)|FIX(?:ME)|XX(?:X))\b/g,
  },
  {
    why: 'a test that does not run proves nothing',
    applies: isTest,
    pattern: /\b(?:it|test|describe)\.only\(/g,
  },
  {
    why: 'name what it holds, in the words of the field',
    applies: (path) => /(^|\/)(utils?|helpers?|common|misc|types)(\.ts$|\/)/.test(path),
    pattern: /^/g,
  },
];

const lineLimit = 500;
const functionLineLimit = 70;

/** Everything untidy in `sources`, one sentence each. */
export function untidy(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => [
    ...rules.filter((rule) => rule.applies(source.path)).flatMap((rule) => breaches(source, rule)),
    ...tooLong(source),
    ...longFunctions(source),
  ]);
}

function breaches({ path, text }: Source, { pattern, why }: Rule): string[] {
  return [...text.matchAll(pattern)].map((match) => {
    const line = text.slice(0, match.index).split('\n').length;
    return `${path}:${line}: ${match[0] || 'the name of this file'}: ${why}`;
  });
}

function tooLong({ path, text }: Source): string[] {
  const lines = text.split('\n').length;
  return lines > lineLimit ? [`${path}: ${lines} lines; ${lineLimit} at most, near 300 is better`] : [];
}

/** Top-level functions and class methods over the limit, told by the formatter's indentation. */
function longFunctions({ path, text }: Source): string[] {
  if (isTest(path)) return [];
  const findings: string[] = [];
  const lines = text.split('\n');
  const opening =
    /^( {0,2})(?:export )?(?:default )?(?:async )?(?:function\*? (\w+)|(?:(?:static|readonly|override) )*([#\w]+)\(.*\).*)/;
  for (const [index, line] of lines.entries()) {
    const match = opening.exec(line);
    if (!match || !/[{(]$/.test(line) || /^\s*(if|for|while|switch|return|await)\b/.test(line)) continue;
    const end = lines.findIndex((other, at) => at > index && other.startsWith(`${match[1]}}`));
    if (end - index > functionLineLimit) {
      findings.push(
        `${path}:${index + 1}: ${match[2] ?? match[3]} has ${end - index} lines; ${functionLineLimit} at most`,
      );
    }
  }
  return findings;
}

/** Files under src/ that nothing reaches from the program's entry points or package exports. */
export function deadFiles(sources: readonly Source[], entries: readonly string[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const reached = new Set<string>();
  const queue = [...entries];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    const source = byPath.get(path);
    if (!source || reached.has(path)) continue;
    reached.add(path);
    queue.push(...imports(source).flatMap(({ target }) => target ?? []));
  }
  return sources
    .filter(({ path }) => inSource(path) && !reached.has(path))
    .map(({ path }) => `${path}: nothing imports it`);
}
