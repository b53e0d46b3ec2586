/** A time as Go writes it in JSON: RFC 3339, the fraction without trailing zeros, none where it is zero. */
export function formatInstant(ms: number): string {
  return new Date(ms).toISOString().replace(/\.?0*Z$/, 'Z');
}
