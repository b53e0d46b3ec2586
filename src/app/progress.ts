import type { Writable } from 'node:stream';
import type { StepListener, StepReport } from './step.ts';

/** Where progress goes: a terminal gets a live line per step, a pipe plain lines, a machine JSON documents. */
export interface Progress extends StepListener {
  /** Words between or after the steps. */
  note(text: string, fields?: Readonly<Record<string, unknown>>): void;
}

export interface ProgressOptions {
  out: Writable & { isTTY?: boolean; columns?: number };
  json: boolean;
  /** Off where the terminal's owner asked for none (NO_COLOR, TERM=dumb). */
  colour: boolean;
}

export function progressTo({ out, json, colour }: ProgressOptions): Progress {
  if (json) return jsonLines(out);
  return out.isTTY ? liveLines(out, colour) : plainLines(out);
}

function jsonLines(out: Writable): Progress {
  return {
    started() {},
    ended(report) {
      out.write(`${JSON.stringify(report)}\n`);
    },
    note(text, fields) {
      out.write(`${JSON.stringify({ note: text, ...fields })}\n`);
    },
  };
}

function plainLines(out: Writable): Progress {
  return {
    started() {},
    ended(report) {
      out.write(`${plainLine(report)}\n${indented(report)}`);
    },
    note(text) {
      out.write(`${text}\n`);
    },
  };
}

const marks = { done: ['✓', 32], found: ['=', 36], failed: ['✗', 31] } as const;

function liveLines(out: ProgressOptions['out'], colour: boolean): Progress {
  const paint = (text: string, code: number) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const clearLine = '\r\x1b[K';
  return {
    started({ title }) {
      // Cut to the terminal's width: a line that wraps could not be cleared again.
      out.write(`${clearLine}${paint('…', 33)} ${title.slice(0, (out.columns ?? 80) - 3)}`);
    },
    ended(report) {
      const [mark, code] = marks[report.state];
      out.write(
        `${clearLine}${paint(mark, code)} ${sentence(report, (text) => paint(text, 2))}\n${indented(report)}`,
      );
    },
    note(text) {
      out.write(`${clearLine}${text}\n`);
    },
  };
}

function plainLine(report: StepReport): string {
  const word = { done: 'ok', found: 'found', failed: 'FAILED' }[report.state];
  return `${word.padEnd(6)} ${sentence(report, (text) => text)}`;
}

function sentence(report: StepReport, faint: (text: string) => string): string {
  const said = report.state === 'failed' ? `${report.error} [step ${report.step}]` : report.saw;
  return `${report.title}: ${said} ${faint(`(${report.tookMs} ms)`)}`;
}

function indented(report: StepReport): string {
  if (report.state === 'failed' || !report.text) return '';
  return report.text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}\n`)
    .join('');
}
