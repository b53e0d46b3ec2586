import { Fault } from './fault.ts';

export const secondMs = 1_000;
export const minuteMs = 60 * secondMs;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

const unitMs: Record<string, number> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: secondMs,
  m: minuteMs,
  h: hourMs,
  d: dayMs,
};

/**
 * Milliseconds of a duration as Go writes it (`1h30m`, `2160h`, `-5s`, `1.5h`, `0`), days (`90d`) included, as
 * Vault and cert-manager accept them.
 *
 * @throws Fault `base.duration` when `text` is anything else; a bare number has no unit and is refused.
 */
export function parseDuration(text: string): number {
  const [, sign, body] = /^([+-]?)(.*)$/s.exec(text)!;
  if (body === '0') return 0;
  const parts = [...body!.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h|d)/gy)];
  const length = parts.reduce((sum, [whole]) => sum + whole.length, 0);
  if (parts.length === 0 || length !== body!.length) {
    throw new Fault(`${JSON.stringify(text)} is not a duration`, {
      code: 'base.duration',
      blame: 'caller',
      fix: 'write it like 48h, 1h30m or 90s',
    });
  }
  const total = parts.reduce((sum, [, number, unit]) => sum + Number(number) * unitMs[unit!]!, 0);
  return sign === '-' ? -total : total;
}

/** What Go says of a duration that it cannot read: no number, no unit behind it, or none that it knows. */
export function durationProblem(text: string): string {
  const [, unit] =
    /^[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))*(?:\d+(?:\.\d*)?|\.\d+)([^\d.]*)/.exec(text) ??
    [];
  if (unit === undefined) return `time: invalid duration ${JSON.stringify(text)}`;
  const problem = unit === '' ? 'missing unit' : `unknown unit ${JSON.stringify(unit)}`;
  return `time: ${problem} in duration ${JSON.stringify(text)}`;
}

/** A duration as Go prints it: `48h0m0s`, `1m30s`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(durationMs: number): string {
  if (durationMs === 0) return '0s';
  if (durationMs < 0) return `-${formatDuration(-durationMs)}`;
  if (durationMs < secondMs) return `${durationMs}ms`;
  const hours = Math.floor(durationMs / hourMs);
  const minutes = Math.floor((durationMs % hourMs) / minuteMs);
  const seconds = Number(((durationMs % minuteMs) / secondMs).toFixed(3));
  if (hours > 0) return `${hours}h${minutes}m${seconds}s`;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
