import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { parseTranscript, runTranscript, shellWords } from './transcript.ts';
import { matchTemplate, type Names } from './transcript-template.ts';

const folder = mkdtempSync(join(tmpdir(), 'capstan-transcripts-'));
afterAll(() => rmSync(folder, { recursive: true }));

function play(text: string): Promise<void> {
  const path = join(folder, 'transcript.txt');
  writeFileSync(path, text);
  return runTranscript(path, { names: { version: '0.1.0' } });
}

test('reads commands with their continuation, here-document and outcome', () => {
  const text =
    '# note\n\n$ capstan a \\\n    b <<EOF\none\n# two\nEOF\n> out\n>- end\n! err\n? 2\n\n$ capstan c\n';
  expect(parseTranscript(text)).toEqual([
    {
      line: 3,
      command: 'capstan a b <<EOF',
      hereDocument: 'one\n# two\n',
      stdout: 'out\nend',
      stderr: 'err\n',
      status: 2,
      end: 6,
    },
    { line: 13, command: 'capstan c', hereDocument: undefined, stdout: '', stderr: '', status: 0, end: 12 },
  ]);
});

test('a line that is none of a transcript, and a here-document without end, are errors', () => {
  expect(() => parseTranscript('$ capstan\noutput\n')).toThrow('line 2');
  expect(() => parseTranscript('$ capstan <<EOF\n')).toThrow('no end');
});

test('words as the shell has them', () => {
  const variables = { NAME: 'a b', ADDR: 'http://x' };
  expect(shellWords(`capstan -x="$NAME" '$NAME' \${ADDR}/ a\\ b "q\\"q" "" $GONE`, variables)).toEqual([
    'capstan',
    '-x=a b',
    '$NAME',
    'http://x/',
    'a b',
    'q"q',
    '',
    '',
  ]);
});

test('a placeholder takes a text of its kind, and from then on only that one', () => {
  const names: Names = new Map();
  expect(
    matchTemplate('id {{id:uuid}}, {{...}}\n', 'id 00000000-0000-4000-8000-000000000000, etc.\n', names),
  ).toBe('id 00000000-0000-4000-8000-000000000000, etc.\n');
  expect(matchTemplate('{{id}}', 'another', names)).toBe('00000000-0000-4000-8000-000000000000');
  expect(matchTemplate('{{n:number}} {{n}}', '1 1', names)).toBe('1 1');
  expect(matchTemplate('{{m:number}} {{m}}', '1 2', names)).toBe('{{m:number}} {{m}}');
  expect(() => matchTemplate('{{x:colour}}', '', names)).toThrow('colour');
});

test.each([
  ['$ capstan --version\n> capstan {{version}}\n', true],
  ['$ capstan --version\n> capstan {{version}}\n? 1\n', false],
  ['$ capstan --version\n>- capstan {{version}}\n', false],
  ['$ capstan --version\n', false],
  ['$ capstan conjure\n! capstan: there is no command "conjure"; see capstan --help\n? 2\n', true],
  ['$ NEW=$(capstan --version)\n\n$ capstan "$NEW"\n! {{...}} "capstan {{version}}"{{...}}\n? 2\n', true],
  ['#! sh\n$ NEW=$(capstan --version)\n\n$ echo "$NEW"; exit 3\n> capstan {{version}}\n? 3\n', false],
  ['#! sh\n$ NEW=$(capstan --version)\n\n$ echo "$NEW"; false\n> capstan {{version}}\n? 1\n', true],
])('%j: %s', async (text, passes) => {
  const played = play(text);
  await (passes ? expect(played).resolves.toBeUndefined() : expect(played).rejects.toThrow());
});
