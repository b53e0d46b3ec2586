/** Upstream's messages are protocol, and Go's formats are part of them. */

/** `%v` of a string slice. */
export function goList(items: readonly string[]): string {
  return `[${items.join(' ')}]`;
}

/** `%s` of a metav1.Time: `2026-01-02 15:04:05 +0000 UTC`. */
export function goTime(time: string | undefined): string {
  return time === undefined ? '<nil>' : `${time.slice(0, 10)} ${time.slice(11, 19)} +0000 UTC`;
}

/** time.RFC1123 in UTC: `Fri, 02 Jan 2026 15:04:05 UTC`. */
export function goRfc1123(epochMs: number): string {
  return new Date(epochMs).toUTCString().replace('GMT', 'UTC');
}

/** One CSV record without its line end (encoding/csv): fields are quoted where they must be. */
export function goCsv(fields: readonly string[]): string {
  return fields
    .map((field) => (/[",\r\n]|^\s|^\\\.$/.test(field) ? `"${field.replaceAll('"', '""')}"` : field))
    .join(',');
}
