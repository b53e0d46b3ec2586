import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { expect } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { systemEntropy } from '../../src/base/entropy.ts';
import type { CommandContext } from '../../src/cli/command.ts';
import { run } from '../../src/cli/main.ts';
import { program } from './capstan.ts';
import { matchTemplate, type Names } from './transcript-template.ts';

/*
 * A transcript is a terminal session as text, and a test: every command in it is run, and must print and end as it
 * says.
 *
 *   # A line that begins with # is for the reader.
 *   $ capstan vault read -field=ttl pki/roles/web      a command; it goes on behind a \ and through a here-document
 *   > 3600                                            a line on stdout; ">-" where no line end follows
 *   ! WARNING! ...                                    a line on stderr
 *   ? 2                                               the exit status, where it is not 0
 *
 * What varies stands as {{name:kind}}: the first time it matches anything of its kind, from then on only that same
 * text, in commands too. {{...}} matches anything on its line. See transcript-template.ts for the kinds.
 *
 * Commands run in this process, through the program's own `run`, and know of the shell only assignments, `export`,
 * NAME=$(capstan ...), "cat <<EOF | capstan ..." and "cat > FILE <<EOF". A transcript with the line "#! sh" is
 * handed to the real shell as a whole, where every `capstan` is a process of its own.
 */

export interface TranscriptOptions {
  env?: Readonly<Record<string, string>>;
  /** What placeholders stand for from the start. */
  names?: Readonly<Record<string, string>>;
}

interface Step {
  line: number;
  command: string;
  hereDocument: string | undefined;
  stdout: string;
  stderr: string;
  status: number;
}

interface Outcome {
  stdout: string;
  stderr: string;
  status: number;
}

/** Runs the transcript in the file at `path` in an empty home folder; the first step that differs fails the test. */
export async function runTranscript(path: string, options: TranscriptOptions = {}): Promise<void> {
  const text = await readFile(path, 'utf8');
  const steps = parseTranscript(text);
  expect(steps.length, `commands in ${path}`).toBeGreaterThan(0);
  const names: Names = new Map(Object.entries(options.names ?? {}));
  const home = await mkdtemp(join(tmpdir(), 'capstan-transcript-'));
  try {
    const env: Record<string, string> = { HOME: home, NO_COLOR: '1', ...options.env };
    if (/^#! sh$/m.test(text)) {
      const outcomes = await runInShell(steps, { env, home, names });
      for (const [index, step] of steps.entries()) compare(path, step, outcomes[index]!, names);
    } else {
      const session = inProcessSession(env, home);
      for (const step of steps) compare(path, step, await session(named(step.command, names), step), names);
    }
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

export function parseTranscript(text: string): Step[] {
  const lines = text.split('\n');
  const steps: Step[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const step = steps.at(-1);
    if (line.startsWith('$ ')) {
      const read = readCommand(lines, at);
      steps.push({ line: at + 1, ...read, stdout: '', stderr: '', status: 0 });
      at = read.end;
    } else if (step && line.startsWith('>-')) step.stdout += line.slice(3);
    else if (step && line.startsWith('>')) step.stdout += `${line.slice(2)}\n`;
    else if (step && line.startsWith('!')) step.stderr += `${line.slice(2)}\n`;
    else if (step && line.startsWith('? ')) step.status = Number(line.slice(2));
    else if (line !== '' && !line.startsWith('#')) {
      throw new Error(`line ${at + 1} of the transcript begins with none of "$ > ! ? #": ${line}`);
    }
  }
  return steps;
}

function readCommand(
  lines: readonly string[],
  start: number,
): { command: string; hereDocument: string | undefined; end: number } {
  let end = start;
  let command = lines[start]!.slice(2);
  while (command.endsWith('\\')) command = `${command.slice(0, -1)}${lines[++end]!.trimStart()}`;
  const word = /<<(\w+)/.exec(command)?.[1];
  if (word === undefined) return { command, hereDocument: undefined, end };
  const close = lines.indexOf(word, end);
  if (close < 0) throw new Error(`the here-document at line ${end + 1} has no end`);
  const hereDocument = lines
    .slice(end + 1, close)
    .map((line) => `${line}\n`)
    .join('');
  return { command, hereDocument, end: close };
}

function named(command: string, names: Names): string {
  return command.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => {
    const value = names.get(name);
    if (value === undefined) throw new Error(`nothing has been called {{${name}}} yet: ${command}`);
    return value;
  });
}

function compare(path: string, step: Step, outcome: Outcome, names: Names): void {
  const where = `${path}:${step.line}: ${step.command}`;
  // Names first met in what was not expected would only confuse.
  const met: Names = new Map(names);
  const all = { status: step.status, stdout: '', stderr: '' };
  all.stdout = matchTemplate(step.stdout, outcome.stdout, met);
  all.stderr = matchTemplate(step.stderr, outcome.stderr, met);
  const { status, stdout, stderr } = outcome;
  expect({ status, stdout, stderr }, where).toEqual(all);
  for (const [name, value] of met) names.set(name, value);
}

type Session = (command: string, step: Step) => Promise<Outcome>;

function inProcessSession(env: Record<string, string>, home: string): Session {
  const variables: Record<string, string> = { ...env };
  const exported = new Set(Object.keys(env));

  return async function execute(command, step): Promise<Outcome> {
    const capture = /^(\w+)=\$\((.*)\)$/s.exec(command);
    if (capture) {
      const outcome = await execute(capture[2]!, step);
      variables[capture[1]!] = outcome.stdout.replace(/\n+$/, '');
      return { ...outcome, stdout: '' };
    }
    const file = /^cat > (\S+) <<\w+$/.exec(command);
    if (file) {
      await writeFile(join(home, file[1]!), step.hereDocument!);
      return { stdout: '', stderr: '', status: 0 };
    }
    const words = shellWords(command.replace(/^cat <<\w+ \|\s*/, '').replace(/\s*<<\w+\s*$/, ''), variables);
    const assigned = leadingAssignments(words[0] === 'export' ? words.slice(1) : words);
    const rest = words.slice(Object.keys(assigned).length + (words[0] === 'export' ? 1 : 0));
    if (rest.length === 0) {
      Object.assign(variables, assigned);
      if (words[0] === 'export') for (const name of Object.keys(assigned)) exported.add(name);
      return { stdout: '', stderr: '', status: 0 };
    }
    if (rest[0] !== 'capstan')
      throw new Error(`a transcript that is not for sh runs only capstan: ${command}`);
    const seen = Object.fromEntries([...exported].map((name) => [name, variables[name]!]));
    return runInProcess(rest.slice(1), {
      env: { ...seen, ...assigned },
      cwd: home,
      stdin: step.hereDocument ?? '',
    });
  };
}

/** Runs one command line of the program inside this process. */
export async function runInProcess(
  args: readonly string[],
  { env, cwd, stdin = '' }: { env: Record<string, string>; cwd: string; stdin?: string },
): Promise<Outcome> {
  const stdout = collector();
  const stderr = collector();
  const context: CommandContext = {
    stdin: Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    env,
    program: [program[0], program[1]],
    cwd,
    clock: systemClock,
    entropy: systemEntropy,
    signal: new AbortController().signal,
  };
  const status = await run(args, context);
  return { status, stdout: stdout.text(), stderr: stderr.text() };
}

function collector(): { stream: Writable; text: () => string } {
  const chunks: Buffer[] = [];
  const stream = new Writable({
    write(chunk: Buffer | string, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') };
}

function leadingAssignments(words: readonly string[]): Record<string, string> {
  const end = words.findIndex((word) => !/^\w+=/.test(word));
  const assignments = end < 0 ? words : words.slice(0, end);
  return Object.fromEntries(
    assignments.map((word) => [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)]),
  );
}

/** A command line's words, with quotes and variables as the shell has them. */
export function shellWords(command: string, variables: Readonly<Record<string, string>>): string[] {
  const part = /'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|(\s+)|([^\s'"\\]+)/gsy;
  const words: string[] = [];
  let word: string | undefined;
  for (const [, single, double, escaped, blank, bare] of command.trim().matchAll(part)) {
    if (blank !== undefined) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else {
      const text =
        single ??
        escaped ??
        (double === undefined
          ? expanded(bare!, variables)
          : expanded(double, variables).replaceAll(/\\(["\\$`])/g, '$1'));
      word = (word ?? '') + text;
    }
  }
  return word === undefined ? words : [...words, word];
}

function expanded(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replaceAll(/(?<!\\)\$(?:(\w+)|\{(\w+)\})/g, (_, bare?: string, braced?: string) => {
    return variables[(bare ?? braced)!] ?? '';
  });
}

interface ShellOptions {
  env: Record<string, string>;
  home: string;
  names: Names;
}

/** One shell runs all of the steps, so that variables last; what each printed is kept in files. */
async function runInShell(steps: readonly Step[], { env, home, names }: ShellOptions): Promise<Outcome[]> {
  const results = join(home, '.transcript');
  await mkdir(results);
  const capstan = join(results, 'capstan');
  await writeFile(capstan, `#!/bin/sh\nexec ${program.map((word) => `'${word}'`).join(' ')} "$@"\n`);
  await chmod(capstan, 0o755);
  const script = steps.map((step, index) => {
    const word = /<<(\w+)/.exec(step.command)?.[1];
    const body = step.hereDocument === undefined ? '' : `\n${step.hereDocument}${word}`;
    const output = `>'${results}/${index}.out' 2>'${results}/${index}.err' </dev/null`;
    return `{\n${named(step.command, names)}${body}\n} ${output}\necho $? >'${results}/${index}.status'\n`;
  });
  const shell = spawn('sh', ['-s'], { cwd: home, env: { PATH: `${results}:/usr/bin:/bin`, ...env } });
  shell.stdin.end(script.join(''));
  await new Promise((resolve) => shell.once('close', resolve));
  const kept = (index: number, name: string) => readFile(join(results, `${index}.${name}`), 'utf8');
  return Promise.all(
    steps.map(async (_, index) => ({
      stdout: await kept(index, 'out'),
      stderr: await kept(index, 'err'),
      status: Number(await kept(index, 'status')),
    })),
  );
}
