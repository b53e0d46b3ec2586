import { expect, test } from 'vitest';
import { jsonLog } from './log.ts';
import { ManualClock } from './manual-clock.ts';

test('lines are JSON with time, level, message and the bound fields, from the level up', () => {
  const lines: string[] = [];
  const log = jsonLog(new ManualClock(0), (line) => lines.push(line), 'info').with({ room: 'vault' });
  log.debug('not this');
  log.warn('careful', { port: 8200 });
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0]!)).toEqual({
    time: '1970-01-01T00:00:00.000Z',
    level: 'warn',
    message: 'careful',
    room: 'vault',
    port: 8200,
  });
});
