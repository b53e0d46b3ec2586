import { closeSync, openSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Clock } from '../../base/clock.ts';
import { describeError, Fault } from '../../base/fault.ts';
import { type Log, type LogFormat, type LogLevel, lineLog } from '../../base/log.ts';
import type { CommandContext } from '../command.ts';
import { configFault } from './config-blocks.ts';

export interface ServerLog {
  log: Log;
  /** Opens the file anew, where it was moved away. */
  reopen(): void;
  close(): void;
}

export interface ServerLogSettings {
  clock: Clock;
  /** As it is written; info where empty. */
  level: string;
  format: LogFormat;
  /** Besides stderr. */
  file: string | undefined;
}

/** A server's own log. @throws Fault `cli.usage` for a level that is none, `cli.config` for a file that cannot be written */
export function serverLog(settings: ServerLogSettings, { stderr, cwd }: CommandContext): ServerLog {
  const { clock, format } = settings;
  const path = settings.file === undefined ? undefined : resolve(cwd, settings.file);
  let file = path === undefined ? undefined : open(path);
  const write = (line: string) => {
    stderr.write(line);
    if (file !== undefined) writeSync(file, line);
  };
  const log = lineLog(clock, write, { level: readLevel(settings.level), format });
  return {
    log,
    reopen() {
      if (path === undefined || file === undefined) return;
      try {
        const next = open(path);
        closeSync(file);
        file = next;
      } catch (error) {
        log.error('the log file could not be opened anew', { error: describeError(error) });
      }
    },
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

function open(path: string): number {
  try {
    return openSync(path, 'a', 0o600);
  } catch (error) {
    throw configFault(`log_file cannot be written: ${describeError(error)}`, error);
  }
}

/** @throws Fault `cli.usage` */
export function readLevel(level: string): LogLevel {
  if (level === '') return 'info';
  if (level === 'trace') return 'debug';
  if (level === 'debug' || level === 'info' || level === 'warn' || level === 'error') return level;
  throw new Fault(`unknown log level ${JSON.stringify(level)}`, {
    code: 'cli.usage',
    blame: 'caller',
    fix: 'use debug, info, warn or error',
  });
}
