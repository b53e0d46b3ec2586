import { minuteMs } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';

export interface CronSchedule {
  /** The first instant after `afterMs` that the expression names; undefined where none comes by `untilMs`. */
  next(afterMs: number, untilMs: number): number | undefined;
}

interface Field {
  name: string;
  least: number;
  most: number;
  names?: readonly string[];
}

const months = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const weekdays = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const fields: readonly Field[] = [
  { name: 'minute', least: 0, most: 59 },
  { name: 'hour', least: 0, most: 23 },
  { name: 'day of month', least: 1, most: 31 },
  { name: 'month', least: 1, most: 12, names: ['', ...months] },
  { name: 'day of week', least: 0, most: 6, names: weekdays },
];
const macros: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

/**
 * A standard cron expression of five fields (minute, hour, day of month, month, day of week; lists, ranges, steps,
 * English names) or an @macro, read in an IANA time zone. Where both days are restricted, either suffices.
 *
 * @throws Fault `certmanager.cron` for an expression or a zone that does not exist
 */
export function parseCron(expression: string, timezone: string): CronSchedule {
  const parts = (macros[expression.trim()] ?? expression).trim().split(/\s+/);
  if (parts.length !== fields.length) throw cronFault(`expected 5 fields, found ${parts.length}`);
  const [minutes, hours, days, monthSet, weekdaySet] = fields.map((field, at) =>
    readField(parts[at]!, field),
  );
  const eitherDay = !/^[*?]/.test(parts[2]!) && !/^[*?]/.test(parts[4]!);
  const local = zoneReader(timezone);

  function matchesDay({ day, weekday }: LocalTime): boolean {
    const byDay = days!.has(day);
    const byWeekday = weekdaySet!.has(weekday);
    return eitherDay ? byDay || byWeekday : byDay && byWeekday;
  }

  return {
    next(afterMs, untilMs) {
      let at = (Math.floor(afterMs / minuteMs) + 1) * minuteMs;
      while (at <= untilMs) {
        const time = local(at);
        if (!monthSet!.has(time.month) || !matchesDay(time) || !hours!.has(time.hour)) {
          // To the top of the next local hour: days begin there, whatever the zone does with its clocks.
          at += (60 - time.minute) * minuteMs;
        } else if (!minutes!.has(time.minute)) {
          at += minuteMs;
        } else {
          return at;
        }
      }
      return undefined;
    },
  };
}

function readField(text: string, field: Field): ReadonlySet<number> {
  const values = new Set<number>();
  for (const part of text.split(',')) {
    const [, range, step] = /^([^/]+)(?:\/(\d+))?$/.exec(part) ?? [];
    if (range === undefined || step === '0') throw fieldFault(text, field);
    const [least, most] = readRange(range, step !== undefined, field) ?? [];
    if (least === undefined || most === undefined || least > most) throw fieldFault(text, field);
    for (let value = least; value <= most; value += Number(step ?? 1)) values.add(value);
  }
  return values;
}

function readRange(range: string, stepped: boolean, field: Field): [number, number] | undefined {
  if (range === '*' || range === '?') return [field.least, field.most];
  const ends = range.split('-').map((end) => readValue(end, field));
  const [from, to] = ends;
  if (ends.length > 2 || from === undefined || (ends.length === 2 && to === undefined)) return undefined;
  // `5/15` counts on to the field's end.
  return [from, to ?? (stepped ? field.most : from)];
}

function readValue(text: string, { least, most, names }: Field): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : (names?.indexOf(text.toLowerCase()) ?? -1);
  return value >= least && value <= most ? value : undefined;
}

interface LocalTime {
  minute: number;
  hour: number;
  day: number;
  month: number;
  weekday: number;
}

function zoneReader(timezone: string): (epochMs: number) => LocalTime {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      hourCycle: 'h23',
      weekday: 'short',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    });
  } catch (error) {
    throw cronFault(`time zone ${JSON.stringify(timezone)} is not known`, error);
  }
  return (epochMs) => {
    const parts = new Map(format.formatToParts(epochMs).map(({ type, value }) => [type, value]));
    return {
      minute: Number(parts.get('minute')),
      hour: Number(parts.get('hour')),
      day: Number(parts.get('day')),
      month: Number(parts.get('month')),
      weekday: weekdays.indexOf(parts.get('weekday')!.toLowerCase()),
    };
  };
}

function fieldFault(text: string, { name }: Field): Fault {
  return cronFault(`${JSON.stringify(text)} is not a ${name}`);
}

function cronFault(message: string, cause?: unknown): Fault {
  return new Fault(message, { code: 'certmanager.cron', blame: 'caller', cause });
}
