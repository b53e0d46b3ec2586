import { expect, test } from 'vitest';
import { isDeeperThan } from './json-depth.ts';
import { readListRequest } from './list-method.ts';
import { type HttpParts, readApiRequest } from './read-request.ts';

const connection = { remoteAddress: '', remotePort: 0, peerCertificates: [] };
const unreadable = (packet: string) =>
  Object.assign(new Error('Parse Error'), { code: 'HPE_INVALID_METHOD', rawPacket: Buffer.from(packet) });

// Each of these was enough to keep the server busy for minutes, and takes no token.
test.each([
  ['X:', '\n'],
  ['X: a', 'b'],
  ['X:', 'b'],
])('a LIST with a header of %j, 60,000 blanks and %j', (start, end) => {
  const blanks = ' '.repeat(60_000);
  const read = readListRequest(
    unreadable(`LIST /v1/x HTTP/1.1\r\n${start}${blanks}${end}\r\nY: z \r\n\r\n`),
    connection,
  );
  expect(read?.headers.y).toBe(end === '\n' ? undefined : 'z');
});

function formOf(names: readonly string[]) {
  const parts: HttpParts = {
    method: 'POST',
    target: '/v1/x',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: Buffer.from(names.join('&')),
    connection,
  };
  return readApiRequest({ path: 'x', query: new URLSearchParams() }, parts)!.data;
}

test('a form of many parameters', () => {
  const names = Array.from({ length: 9_997 }, (_, at) => `a${at}`);
  const data = formOf([...names, 'b=1', 'b=2', 'c=3']);
  expect(Object.keys(data).length).toBe(names.length + 2);
  expect([data.b, data.c]).toEqual([['1', '2'], '3']);
});

test('a form of too many parameters is not read', () => {
  const names = Array.from({ length: 5_000_000 }, () => 'a');
  expect(() => formOf(names)).toThrow('it has more than 10000 parameters');
});

test('blanks before it hide no depth', () => {
  const deep = `{"a":${'['.repeat(1_000)}${']'.repeat(1_000)}}`;
  for (const blanks of ['', ' '.repeat(100), '\r\n\t '.repeat(5_000)]) {
    expect(isDeeperThan(Buffer.from(blanks + deep), 300)).toBe(true);
  }
});
