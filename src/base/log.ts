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

/** `standard` is Vault's for people: a time, the level in brackets, the message, and `name=value` for each field. */
export type LogFormat = 'json' | 'standard';

interface Line {
  time: string;
  level: LogLevel;
  message: string;
  fields: LogFields;
}

const formats: Readonly<Record<LogFormat, (line: Line) => string>> = {
  json: ({ time, level, message, fields }) => JSON.stringify({ time, level, message, ...fields }),
  standard({ time, level, message, fields }) {
    const told = Object.entries(fields).map(([name, value]) => ` ${name}=${standardValue(value)}`);
    const head = `${time} ${`[${level.toUpperCase()}]`.padEnd(7)} ${message}`;
    return told.length > 0 ? `${head}:${told.join('')}` : head;
  },
};

/** One word as it is; anything else quoted, so that a line stays a line. */
function standardValue(value: unknown): string {
  const text = typeof value === 'string' ? value : (JSON.stringify(value) ?? 'undefined');
  return /^[^\s"=\p{C}]+$/u.test(text) ? text : JSON.stringify(text);
}

/** A log that writes one line each, with its end, to `write`, from `level` up. */
export function lineLog(
  clock: Clock,
  write: (line: string) => void,
  { level = 'info', format = 'json' }: { level?: LogLevel; format?: LogFormat } = {},
): Log {
  return emit({});
  function emit(bound: LogFields): Log {
    const at = (lineLevel: LogLevel) => (message: string, fields?: LogFields) => {
      if (order.indexOf(lineLevel) < order.indexOf(level)) return;
      const time = new Date(clock.now()).toISOString();
      write(`${formats[format]({ time, level: lineLevel, message, fields: { ...bound, ...fields } })}\n`);
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

/** The same, as JSON documents. */
export function jsonLog(clock: Clock, write: (line: string) => void, level: LogLevel = 'info'): Log {
  return lineLog(clock, write, { level });
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
