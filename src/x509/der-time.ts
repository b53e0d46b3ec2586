/** UTCTime as RFC 5280 section 4.1.2.5.1 wants it, YYMMDDHHMMSSZ for 1950 to 2049; undefined where it is not. */
export function readUtcTime(content: Buffer): number | undefined {
  if (content.length !== 13) return undefined;
  const century = content[0]! >= 0x35 ? '19' : '20';
  return readTime(century + content.toString('latin1'));
}

/** GeneralizedTime as RFC 5280 section 4.1.2.5.2 wants it, YYYYMMDDHHMMSSZ; undefined where it is not. */
export function readGeneralizedTime(content: Buffer): number | undefined {
  return content.length === 15 ? readTime(content.toString('latin1')) : undefined;
}

function readTime(text: string): number | undefined {
  if (!/^\d{14}Z$/.test(text)) return undefined;
  const part = (start: number, length: number) => Number(text.slice(start, start + length));
  const date = new Date(0);
  // Setters rather than Date.UTC, which takes the years 0 to 99 for 1900 to 1999.
  date.setUTCFullYear(part(0, 4), part(4, 2) - 1, part(6, 2));
  date.setUTCHours(part(8, 2), part(10, 2), part(12, 2));
  const time = date.getTime();
  // A day or second that does not exist rolls over; it then reads back as another one.
  return digitsOf(time) === text ? time : undefined;
}

/** YYYYMMDDHHMMSSZ, fractions of a second cut off. */
export function digitsOf(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
}

export interface TimeText {
  /** Whether the time is to be UTCTime: it is for the years 1950 to 2049, GeneralizedTime for others. */
  utc: boolean;
  text: string;
}

/** Earliest and latest instants that a certificate can hold: the years 0 to 9999. */
export const earliestTimeMs = -62_167_219_200_000;
export const latestTimeMs = 253_402_300_799_999;

/** Certificates of one second begin and end alike: the texts of the last few seconds that were asked for. */
const known = new Map<number, TimeText>();
const knownLimit = 64;

/** The one form of `timeMs` that RFC 5280 section 4.1.2.5 allows. */
export function timeText(timeMs: number): TimeText {
  const second = Math.floor(timeMs / 1_000);
  const before = known.get(second);
  if (before) return before;
  const made = writtenTime(timeMs);
  if (known.size >= knownLimit) known.clear();
  known.set(second, made);
  return made;
}

function writtenTime(timeMs: number): TimeText {
  const digits = digitsOf(timeMs);
  const utc = digits >= '1950' && digits < '2050';
  return { utc, text: utc ? digits.slice(2) : digits };
}
