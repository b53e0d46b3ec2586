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

function posted(type: string, body: string) {
  const parts: HttpParts = {
    method: 'POST',
    target: '/v1/x',
    headers: { 'content-type': type },
    body: Buffer.from(body),
    connection,
  };
  return readApiRequest({ path: 'x', query: new URLSearchParams() }, parts)!.data;
}

const formOf = (names: readonly string[]) => posted('application/x-www-form-urlencoded', names.join('&'));

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

test.each([
  (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, ''])),
  (count: number) => ({ a: Array.from({ length: count }, () => '') }),
  (count: number) => ({
    a: Array.from({ length: count / 10 }, () => ({ b: Array.from({ length: 10 }, () => '') })),
  }),
])('JSON of too many values is not taken', (make) => {
  const sent = (count: number) => posted('application/json', JSON.stringify(make(count)));
  expect(Object.keys(sent(20_000)).length).toBeGreaterThan(0);
  expect(() => sent(20_010)).toThrow('it holds more than 20000 values');
});

test('blanks before it hide no depth', () => {
  const deep = `{"a":${'['.repeat(1_000)}${']'.repeat(1_000)}}`;
  for (const blanks of ['', ' '.repeat(100), '\r\n\t '.repeat(5_000)]) {
    expect(isDeeperThan(Buffer.from(blanks + deep), 300)).toBe(true);
  }
});
