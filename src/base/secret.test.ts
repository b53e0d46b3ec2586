import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { jsonLog } from './log.ts';
import { ManualClock } from './manual-clock.ts';
import { SecretText } from './secret.ts';

test('a secret prints, serialises and logs as dots', () => {
  const secret = new SecretText('hunter2');
  const lines: string[] = [];
  jsonLog(new ManualClock(), (line) => lines.push(line)).info('login', { secret, nested: { secret } });
  const everywhere = [
    String(secret),
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ deep: [secret] }),
    ...lines,
  ];
  for (const text of everywhere) {
    expect(text).toContain('••••••');
    expect(text).not.toContain('hunter2');
  }
  expect(secret.reveal()).toBe('hunter2');
});
