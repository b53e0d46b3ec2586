import { expect, test } from 'vitest';
import { hasFormat } from './formats.ts';

const cases: Record<string, { good: string[]; bad: string[] }> = {
  'date-time': {
    good: ['2026-01-01T00:00:00Z', '2026-02-28T23:59:59.123456+14:00', '2026-01-01t00:00:00z'],
    bad: ['2026-01-01', '2026-02-30T00:00:00Z', '2026-01-01T24:00:00Z', '2026-01-01T00:00:00', 'now'],
  },
  date: { good: ['2024-02-29'], bad: ['2023-02-29', '2026-1-1'] },
  duration: {
    good: ['48h0m0s', '1.5h', '-5ms', '0', '22 ns', '3 weeks'],
    bad: ['48', '1 fortnight', '', '1'.repeat(1e6)],
  },
  byte: { good: ['', 'aGk=', 'aGkh', 'A'.repeat(1e6)], bad: ['a', 'aGk*', 'aGkhaG'] },
  ipv4: { good: ['127.0.0.1'], bad: ['256.0.0.1', '::1', '1.2.3'] },
  ipv6: { good: ['::1', 'fe80::1'], bad: ['127.0.0.1', ':::'] },
  cidr: { good: ['10.0.0.0/8', '::/0'], bad: ['10.0.0.0', '10.0.0.0/33', '::/129', '10.0.0.0/8/8'] },
  email: { good: ['a@b.c', 'A <a@b.c>'], bad: ['a', '@b', 'a@'] },
  hostname: { good: ['a.b-c.d', 'localhost'], bad: ['-a', 'a..b', 'a_b'] },
  mac: { good: ['00:1b:63:84:45:e6', '001b.6384.45e6'], bad: ['00:1b:63'] },
  uri: { good: ['https://a/b', 'spiffe://x', '/path'], bad: ['no scheme', 'relative'] },
  uuid: { good: ['123e4567-e89b-12d3-a456-426614174000'], bad: ['123e4567'] },
  uuid4: { good: ['123e4567-e89b-42d3-a456-426614174000'], bad: ['123e4567-e89b-12d3-a456-426614174000'] },
  isbn: { good: ['0321751043', '978-0321751041'], bad: ['0321751044'] },
  hexcolor: { good: ['#fff', 'AABBCC'], bad: ['#ffff'] },
  'k8s-short-name': { good: ['a-1'], bad: ['A', 'a.b'] },
  'k8s-long-name': { good: ['a.b-1'], bad: ['a..b'] },
  'my-own': { good: ['anything'], bad: [] },
};

test.each(Object.entries(cases))('%s', (format, { good, bad }) => {
  for (const text of good) expect(hasFormat(format, text), text.slice(0, 40)).toBe(true);
  for (const text of bad) expect(hasFormat(format, text), text.slice(0, 40)).toBe(false);
});
