import { createSocket, type Socket } from 'node:dgram';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { systemDialer } from './dialer.ts';

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

const types = { a: 1, txt: 16, aaaa: 28 };

/** A name server that knows `records` of every name, and answers that there is none of other types. */
async function nameServer(records: Partial<Record<keyof typeof types, Buffer[]>>): Promise<string> {
  const socket = createSocket('udp4');
  sockets.push(socket);
  socket.on('message', (query, from) => {
    // The question, up to its type and class: nothing of the additional records behind it.
    const end = query.indexOf(0, 12) + 5;
    const type = query.readUInt16BE(end - 4);
    const answers = Object.entries(types).flatMap(([name, number]) =>
      number === type ? (records[name as keyof typeof types] ?? []) : [],
    );
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(answers.length, 6);
    head.writeUInt32BE(0, 8);
    const written = answers.map((data) => {
      const frame = Buffer.from('c00c000000010000003c0000', 'hex');
      frame.writeUInt16BE(type, 2);
      frame.writeUInt16BE(data.length, 10);
      return Buffer.concat([frame, data]);
    });
    socket.send(Buffer.concat([head, query.subarray(12, end), ...written]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return `127.0.0.1:${socket.address().port}`;
}

const text = (...parts: string[]) =>
  Buffer.concat(parts.map((part) => Buffer.concat([Buffer.of(part.length), Buffer.from(part)])));

test('asks the name server that it is told to', async () => {
  const resolver = await nameServer({
    a: [Buffer.of(192, 0, 2, 7)],
    txt: [text('one'), text('of two ', 'parts')],
  });
  expect(await systemDialer.addresses('a.example', resolver)).toEqual(['192.0.2.7']);
  expect(await systemDialer.texts('_acme-challenge.a.example', resolver)).toEqual(['one', 'of two parts']);
});

test('takes addresses of either kind', async () => {
  const v6 = Buffer.from('20010db8000000000000000000000001', 'hex');
  expect(await systemDialer.addresses('a.example', await nameServer({ aaaa: [v6] }))).toEqual([
    '2001:db8::1',
  ]);
  expect(await systemDialer.addresses('192.0.2.1', '')).toEqual(['192.0.2.1']);
  expect(await systemDialer.addresses('localhost', '')).toContain('127.0.0.1');
});

test('a name without records is an error that says so', async () => {
  const resolver = await nameServer({});
  await expect(systemDialer.addresses('a.example', resolver)).rejects.toMatchObject({ code: 'ENODATA' });
  await expect(systemDialer.texts('a.example', resolver)).rejects.toMatchObject({ code: 'ENODATA' });
});

test('connects, or says why not', async () => {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const signal = new AbortController().signal;
  const socket = await systemDialer.connect({ address: '127.0.0.1', port, signal });
  socket.destroy();
  await new Promise((resolve) => server.close(resolve));
  await expect(systemDialer.connect({ address: '127.0.0.1', port, signal })).rejects.toMatchObject({
    code: 'ECONNREFUSED',
  });
  const aborted = AbortSignal.abort();
  await expect(systemDialer.connect({ address: '127.0.0.1', port, signal: aborted })).rejects.toThrow();
});
