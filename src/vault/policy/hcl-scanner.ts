import { Fault } from '../../base/fault.ts';

export interface Position {
  /** From 1. */
  line: number;
  /** In UTF-16 code units, from 1. */
  column: number;
}

export type Token =
  | { kind: 'word'; text: string; at: Position }
  | { kind: 'text'; text: string; at: Position }
  | { kind: 'number'; value: number; at: Position }
  | { kind: '{' | '}' | '[' | ']' | '=' | ',' | 'end'; at: Position };

export function hclFault(message: string, { line, column }: Position): Fault {
  return new Fault(`At ${line}:${column}: ${message}`, { code: 'vault.hcl', blame: 'caller' });
}

const blank = /(?:[ \t\r\n\ufeff]+|#[^\n]*|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
const word = /[\p{L}_][\p{L}\p{Nd}_.-]*/uy;
const number = /-?(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?![\p{L}\p{Nd}_])/uy;
const heredoc = /<<(-?)([\p{L}\p{Nd}_]+)\r?\n/uy;
const quoted = /"((?:[^"\\\n]|\\[^\n])*)"/y;
const mark = /[{}[\]=,]/y;

/** The tokens of HCL version 1 (github.com/hashicorp/hcl, hcl/scanner), the last one `end`. @throws Fault `vault.hcl` */
export function scanHcl(source: string): Token[] {
  const tokens: Token[] = [];
  const position = positions(source);
  let offset = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = offset;
    const match = pattern.exec(source);
    if (match) offset = pattern.lastIndex;
    return match;
  };
  for (;;) {
    take(blank);
    const at = position(offset);
    let match: RegExpExecArray | null;
    if (offset === source.length) {
      tokens.push({ kind: 'end', at });
      return tokens;
    } else if ((match = take(mark))) tokens.push({ kind: match[0] as '{', at });
    else if ((match = take(quoted))) tokens.push({ kind: 'text', text: unescape(match[1]!, at), at });
    else if ((match = take(number))) tokens.push({ kind: 'number', value: Number(match[0]), at });
    else if ((match = take(word))) tokens.push({ kind: 'word', text: match[0], at });
    else if ((match = take(heredoc))) {
      const { text, end } = readHeredoc(source, offset, match[2]!, match[1] === '-', at);
      tokens.push({ kind: 'text', text, at });
      offset = end;
    } else throw hclFault(unreadable(source, offset), at);
  }
}

function unreadable(source: string, offset: number): string {
  if (source.startsWith('/*', offset)) return 'this comment has no end';
  if (source[offset] === '"') return 'this text has no closing quote on its line';
  return `unexpected ${JSON.stringify(String.fromCodePoint(source.codePointAt(offset)!))}`;
}

function positions(source: string): (offset: number) => Position {
  let line = 1;
  let lineStart = 0;
  let seen = 0;
  return (offset) => {
    for (; seen < offset; seen++) {
      if (source[seen] !== '\n') continue;
      line += 1;
      lineStart = seen + 1;
    }
    return { line, column: offset - lineStart + 1 };
  };
}

const escapes: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  '"': '"',
};

function unescape(body: string, at: Position): string {
  return body.replace(
    /\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-7]{3}|[\s\S])/gu,
    (_, escape: string) => {
      if (escape.length === 1) {
        const plain = escapes[escape];
        if (plain === undefined) throw hclFault(`unknown escape \\${escape}`, at);
        return plain;
      }
      const point = /^[0-7]/.test(escape) ? Number.parseInt(escape, 8) : Number.parseInt(escape.slice(1), 16);
      if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        throw hclFault(`\\${escape} is no character`, at);
      return String.fromCodePoint(point);
    },
  );
}

/** The lines up to the one that holds only `marker`; with `<<-` their common indentation is taken off. */
function readHeredoc(source: string, from: number, marker: string, indented: boolean, at: Position) {
  const lines: string[] = [];
  for (let start = from; start < source.length; ) {
    const newline = source.indexOf('\n', start);
    const end = newline === -1 ? source.length : newline;
    const line = source.slice(start, end);
    if (line.trim() === marker) return { text: outdent(lines, indented), end };
    lines.push(`${line}\n`);
    start = end + 1;
  }
  throw hclFault(`the text that <<${marker} begins has no line ${marker} at its end`, at);
}

function outdent(lines: readonly string[], indented: boolean): string {
  if (!indented) return lines.join('');
  const indents = lines.filter((line) => line.trim() !== '').map((line) => /^[ \t]*/.exec(line)![0].length);
  const indent = Math.min(...indents, Infinity);
  return lines.map((line) => (line.trim() === '' ? '\n' : line.slice(indent))).join('');
}
