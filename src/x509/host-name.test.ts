import { expect, test } from 'vitest';
import { matchesHost } from './host-name.ts';

test.each([
  ['web.example.com', 'web.example.com', true],
  ['WEB.example.COM', 'web.Example.com', true],
  ['web.example.com', 'web.example.com.', true],
  ['*.example.com', 'web.example.com', true],
  ['*.example.com', 'a.web.example.com', false],
  ['*.example.com', 'example.com', false],
  ['w*.example.com', 'web.example.com', false],
  ['web.*.com', 'web.example.com', false],
  ['*', 'localhost', false],
  ['*.com', 'example.com', true],
  ['web.example.com', 'xweb.example.com', false],
  ['xn--mnchen-3ya.example', 'münchen.example', true],
  ['a_b.example.com', 'a_b.example.com', true],
  ['', '', false],
  ['*.', 'web', false],
  ['example..com', 'example..com', false],
  ['192.0.2.7', '192.0.2.7', false],
])('a certificate for %s and the host %s: %s', (value, host, expected) => {
  expect(matchesHost([{ type: 'dns', value }], host)).toBe(expected);
});

test('addresses match addresses, in whatever form they are written', () => {
  const names = [
    { type: 'ip', value: '192.0.2.7' },
    { type: 'ip', value: '2001:db8::7' },
  ] as const;
  for (const host of ['192.0.2.7', '2001:db8:0:0:0:0:0:7', '[2001:DB8::7]', '::ffff:192.0.2.7']) {
    expect(matchesHost(names, host)).toBe(true);
  }
  for (const host of ['192.0.2.8', '2001:db8::8', 'web.example.com']) {
    expect(matchesHost(names, host)).toBe(false);
  }
});
