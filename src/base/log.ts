import type { Clock } from './clock.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type LogFields = Readonly<Record<string, unknown>>;

/** Structured lines: a short constant message, and fields for what varies. Secret values never go in. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log that adds `fields` to every line. */
  with(fields: LogFields): Log;
}

const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** A log that writes one JSON document a line to `write`, from `level` up. */
export function jsonLog(clock: Clock, write: (line: string) => void, level: LogLevel = 'info'): Log {
  return emit({});
  function emit(bound: LogFields): Log {
    const at = (lineLevel: LogLevel) => (message: string, fields?: LogFields) => {
      if (order.indexOf(lineLevel) < order.indexOf(level)) return;
      const time = new Date(clock.now()).toISOString();
      write(`${JSON.stringify({ time, level: lineLevel, message, ...bound, ...fields })}\n`);
    };
    return {
      debug: at('debug'),
      info: at('info'),
      warn: at('warn'),
      error: at('error'),
      with: (fields) => emit({ ...bound, ...fields }),
    };
  }
}

const ignore = () => {};

/** Drops every line. */
export const silentLog: Log = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  with: () => silentLog,
};
