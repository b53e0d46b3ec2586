import { type Clock, scaledClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';

/** The flags of a clock that may run faster than the machine's, for `parseArgs`. */
export const clockFlags = {
  'clock-origin': { type: 'string' },
  'clock-speed': { type: 'string' },
} as const;

/** `otherwise` unless a flag asks for a clock of its own. @throws Fault `cli.usage` */
export function clockFrom(
  flags: { 'clock-origin'?: string | undefined; 'clock-speed'?: string | undefined },
  otherwise: Clock,
): Clock {
  const { 'clock-origin': origin = '0', 'clock-speed': speed = '1' } = flags;
  if (origin === '0' && speed === '1') return otherwise;
  const scale = { originMs: Number(origin), speed: Number(speed) };
  if (Number.isFinite(scale.originMs) && scale.speed > 0) return scaledClock(scale);
  throw new Fault('--clock-origin takes epoch milliseconds, --clock-speed a positive number', {
    code: 'cli.usage',
    blame: 'caller',
  });
}
