import { expect, test } from 'vitest';
import { parseServerAddress } from './server.ts';

test.each([
  ['https://web.example.com', { host: 'web.example.com', port: 443 }],
  ['HTTPS://web.example.com/path?query', { host: 'web.example.com', port: 443 }],
  ['https://web.example.com:8443/', { host: 'web.example.com', port: 8443 }],
  ['https://web.example.com:80', { host: 'web.example.com', port: 80 }],
  ['tls://127.0.0.1', { host: '127.0.0.1', port: 443 }],
  ['tcp://[::1]:8443', { host: '::1', port: 8443 }],
  ['tcp://[2001:db8::1]', { host: '2001:db8::1', port: 443 }],
  ['smtps://mail.example.com', { host: 'mail.example.com', port: 465 }],
  ['ldaps://ldap.example.com', { host: 'ldap.example.com', port: 636 }],
])('%s', (input, address) => {
  expect(parseServerAddress(input)).toEqual(address);
});

test.each(['leaf.pem', './https.pem', '-', 'http://web.example.com', 'constructor://x', '/tmp/tls:'])(
  '%s is the name of a file',
  (input) => {
    expect(parseServerAddress(input)).toBeUndefined();
  },
);

test.each(['https://', 'tls:///path', 'https://a b', 'https://web:99999'])('%s is refused', (input) => {
  expect(() => parseServerAddress(input)).toThrow('is not an address');
});
