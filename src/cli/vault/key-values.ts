import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { misuse } from './failure.ts';
import { parseDocument } from './secret.ts';
import { isList, plainText, type Value, type ValueObject } from './value.ts';

/** Where `@file` and `-` read from. */
export interface Sources {
  stdin: Readable;
  cwd: string;
}

/**
 * `key=value` arguments as an object: `key=@file` takes a file's text, `key=-` stdin's, `\@` a plain `@`; a lone
 * `@file` or `-` is a JSON object merged in; a repeated key makes a list.
 *
 * @throws Failure with status 1, its message `doing: why`
 */
export async function parseKeyValues(
  args: readonly string[],
  sources: Sources,
  doing: string,
): Promise<Record<string, Value>> {
  const result: Record<string, Value> = {};
  let stdinTaken = false;
  for (const arg of args) {
    try {
      await add(arg);
    } catch (error) {
      throw misuse(
        `${doing}: invalid key/value pair ${JSON.stringify(arg)}: ${fileProblem(error) ?? (error as Error).message}`,
      );
    }
  }
  return result;

  async function add(arg: string): Promise<void> {
    if (arg === '') return;
    const equals = arg.indexOf('=');
    if (equals < 0) {
      if (arg === '-') return void Object.assign(result, parseDocument(await allOfStdin()));
      if (arg.startsWith('@')) return void Object.assign(result, parseDocument(await file(arg.slice(1))));
      throw new Error('format must be key=value');
    }
    const key = arg.slice(0, equals);
    const value = await taken(arg.slice(equals + 1));
    const before = Object.hasOwn(result, key) ? result[key] : undefined;
    result[key] = before === undefined ? value : [...(isList(before) ? before : [before]), value];
  }

  async function taken(value: string): Promise<string> {
    if (value === '-') return allOfStdin();
    if (value.startsWith('\\@')) return value.slice(1);
    if (!value.startsWith('@')) return value;
    try {
      return await file(value.slice(1));
    } catch (error) {
      throw new Error(`error reading file: ${fileProblem(error)}`, { cause: error });
    }
  }

  async function allOfStdin(): Promise<string> {
    if (stdinTaken) throw new Error('stdin already consumed');
    stdinTaken = true;
    return readAll(sources.stdin);
  }

  async function file(path: string): Promise<string> {
    try {
      return await readFile(resolve(sources.cwd, path), 'utf8');
    } catch (cause) {
      throw Object.assign(new Error('unreadable', { cause }), { asTyped: path });
    }
  }
}

/** What Go says of a file that cannot be read, with the path as it was typed. */
export function fileProblem(error: unknown): string | undefined {
  const { asTyped, cause } = error as { asTyped?: string; cause?: NodeJS.ErrnoException };
  if (asTyped === undefined) return undefined;
  const reasons: Record<string, string> = {
    ENOENT: 'no such file or directory',
    EACCES: 'permission denied',
    EISDIR: 'is a directory',
    ENOTDIR: 'not a directory',
  };
  const operation = cause?.code === 'EISDIR' ? 'read' : 'open';
  return `${operation} ${asTyped}: ${reasons[cause?.code ?? ''] ?? cause?.message ?? 'cannot be read'}`;
}

export async function readAll(stdin: Readable): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}

/** The values as text, for what takes nothing else (a login's settings). */
export function asTexts(values: ValueObject): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [key, asText(value)]));
}

/** The values as lists of text, for a query string. */
export function asTextLists(values: ValueObject): Record<string, readonly string[]> {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [key, isList(value) ? value.map(asText) : [asText(value)]]),
  );
}

function asText(value: Value): string {
  if (value === null) return '';
  if (typeof value === 'boolean') return value ? '1' : '0';
  return plainText(value);
}
