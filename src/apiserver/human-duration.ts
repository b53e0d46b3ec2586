/** An age as `kubectl get` shows it: `45s`, `3m12s`, `5h`, `2d4h` (k8s.io/apimachinery/pkg/util/duration). */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1_000);
  if (seconds < -1) return '<invalid>';
  if (seconds < 0) return '0s';
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes < 10) return withRest(minutes, 'm', seconds % 60, 's');
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.trunc(minutes / 60);
  if (hours < 8) return withRest(hours, 'h', minutes % 60, 'm');
  if (hours < 48) return `${hours}h`;
  const days = Math.trunc(hours / 24);
  if (hours < 24 * 8) return withRest(days, 'd', hours % 24, 'h');
  if (hours < 24 * 365 * 2) return `${days}d`;
  const years = Math.trunc(days / 365);
  if (hours < 24 * 365 * 8) return withRest(years, 'y', days % 365, 'd');
  return `${years}y`;
}

function withRest(whole: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${whole}${unit}` : `${whole}${unit}${rest}${restUnit}`;
}

/** The age of something that began at `time` (RFC 3339); `<unknown>` where that is absent. */
export function ageSince(time: unknown, nowMs: number): string {
  if (typeof time !== 'string' || time === '') return '<unknown>';
  const startMs = Date.parse(time);
  return Number.isNaN(startMs) ? '<invalid>' : humanDuration(nowMs - startMs);
}
