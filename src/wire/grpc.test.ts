import http2 from 'node:http2';
import net from 'node:net';
import * as grpc from '@grpc/grpc-js';
import * as fc from 'fast-check';
import { afterEach, expect, test } from 'vitest';
import { Fault } from '../base/fault.ts';
import { callUnary } from './grpc-client.ts';
import {
  decodeStatusMessage,
  encodeStatusMessage,
  formatTimeout,
  frameMessage,
  parseTimeout,
} from './grpc-framing.ts';
import { type GrpcServer, type GrpcServerOptions, startGrpcServer } from './grpc-server.ts';
import { grpcFault } from './grpc-status.ts';

const running: GrpcServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close(100)));
});

const echo = '/test.Echo/Say';

async function start(options: Partial<GrpcServerOptions> = {}): Promise<GrpcServer> {
  const server = await startGrpcServer({
    listen: { host: '127.0.0.1', port: 0 },
    tls: false,
    methods: { [echo]: async (message) => message },
    ...options,
  });
  running.push(server);
  return server;
}

/** A call by gRPC's own implementation for Node. */
function foreignCall(
  port: number,
  message: Buffer,
  {
    path = echo,
    deadlineMs = 5_000,
    options,
  }: { path?: string; deadlineMs?: number; options?: grpc.ChannelOptions } = {},
): Promise<Buffer> {
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), options);
  const same = (bytes: Buffer) => bytes;
  return new Promise<Buffer>((resolve, reject) => {
    const deadline = new Date(Date.now() + deadlineMs);
    client.makeUnaryRequest(path, same, same, message, { deadline }, (error, reply) =>
      error ? reject(error) : resolve(reply!),
    );
  }).finally(() => client.close());
}

function ownCall(
  port: number,
  message: Buffer,
  more: Partial<Parameters<typeof callUnary>[0]> = {},
): Promise<Buffer> {
  return callUnary({
    connect: async () => net.connect(port, '127.0.0.1'),
    authority: `127.0.0.1:${port}`,
    path: echo,
    message,
    timeoutMs: 5_000,
    ...more,
  });
}

test('gRPC for Node and our own client get what the method answers', async () => {
  const { address } = await start();
  for (const message of [Buffer.alloc(0), Buffer.from('hello'), Buffer.alloc(300_000, 7)]) {
    expect(message.equals(await foreignCall(address.port, message))).toBe(true);
    expect(message.equals(await ownCall(address.port, message))).toBe(true);
  }
});

test('our client gets what a server of gRPC for Node answers', async () => {
  const server = new grpc.Server();
  const same = (bytes: Buffer) => bytes;
  const definition = {
    Say: {
      path: echo,
      requestStream: false,
      responseStream: false,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    },
  } as const;
  server.addService(definition, {
    Say: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
      call.request.length === 0
        ? done({ code: grpc.status.FAILED_PRECONDITION, details: 'sag etwas: 100 % höflich' })
        : done(null, call.request),
  });
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  try {
    expect((await ownCall(port, Buffer.from('hello'))).toString()).toBe('hello');
    await expect(ownCall(port, Buffer.alloc(0))).rejects.toMatchObject({
      code: 'grpc.failed-precondition',
      message: 'sag etwas: 100 % höflich',
    });
  } finally {
    server.forceShutdown();
  }
});

test('faults become statuses: gRPC ones as they are, others by blame, bugs without their words', async () => {
  const thrown: Record<string, unknown> = {
    precondition: grpcFault('failed-precondition', 'nicht so: 5 % ✗'),
    caller: new Fault('bad name', { code: 'x.name', blame: 'caller', fix: 'use another' }),
    peer: new Fault('no answer', { code: 'x.peer', blame: 'peer' }),
    bug: new TypeError('secret detail'),
  };
  const { address } = await start({
    methods: {
      [echo]: async (message) => {
        throw thrown[message.toString()];
      },
    },
  });
  const told = async (what: string) =>
    await foreignCall(address.port, Buffer.from(what)).catch((error: grpc.ServiceError) => [
      error.code,
      error.details,
    ]);
  expect(await told('precondition')).toEqual([grpc.status.FAILED_PRECONDITION, 'nicht so: 5 % ✗']);
  expect(await told('caller')).toEqual([grpc.status.INVALID_ARGUMENT, 'bad name; use another']);
  expect(await told('peer')).toEqual([grpc.status.UNAVAILABLE, 'no answer']);
  expect(await told('bug')).toEqual([grpc.status.INTERNAL, 'internal error']);
  await expect(ownCall(address.port, Buffer.from('precondition'))).rejects.toMatchObject({
    code: 'grpc.failed-precondition',
    message: 'nicht so: 5 % ✗',
  });
});

test('unknown methods, compression and messages past the limit are refused', async () => {
  const { address } = await start({ messageLimitBytes: 1_000 });
  const { port } = address;
  await expect(foreignCall(port, Buffer.alloc(0), { path: '/test.Echo/Shout' })).rejects.toMatchObject({
    code: grpc.status.UNIMPLEMENTED,
  });
  await expect(foreignCall(port, Buffer.alloc(1_001))).rejects.toMatchObject({
    code: grpc.status.RESOURCE_EXHAUSTED,
  });
  await expect(foreignCall(port, Buffer.alloc(5_000_000))).rejects.toMatchObject({
    code: grpc.status.RESOURCE_EXHAUSTED,
  });
  const options = { 'grpc.default_compression_algorithm': grpc.compressionAlgorithms.gzip };
  await expect(foreignCall(port, Buffer.from('x'), { options })).rejects.toMatchObject({
    code: grpc.status.UNIMPLEMENTED,
  });
  expect((await foreignCall(port, Buffer.alloc(1_000))).length).toBe(1_000);
});

test('a deadline ends the call on both sides, and the method is told', async () => {
  const signals: AbortSignal[] = [];
  const { address } = await start({
    methods: {
      [echo]: (_, { signal }) => {
        signals.push(signal);
        return new Promise(() => {});
      },
    },
    callLimitMs: 200,
  });
  await expect(foreignCall(address.port, Buffer.from('x'), { deadlineMs: 50 })).rejects.toMatchObject({
    code: grpc.status.DEADLINE_EXCEEDED,
  });
  await expect(ownCall(address.port, Buffer.from('x'), { timeoutMs: 50 })).rejects.toMatchObject({
    code: 'grpc.deadline-exceeded',
  });
  // The server's own limit, where the client is more patient.
  await expect(foreignCall(address.port, Buffer.from('x'))).rejects.toMatchObject({
    code: grpc.status.DEADLINE_EXCEEDED,
  });
  const abort = new AbortController();
  const cancelled = ownCall(address.port, Buffer.from('x'), { signal: abort.signal });
  abort.abort();
  await expect(cancelled).rejects.toMatchObject({ code: 'grpc.cancelled' });
  await expect.poll(() => signals.every(({ aborted }) => aborted)).toBe(true);
  expect(signals.length).toBeGreaterThanOrEqual(3);
});

test('a call past the concurrency limit is told to come again', async () => {
  const entered = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const { address } = await start({
    concurrencyLimit: 1,
    methods: {
      [echo]: async (message) => {
        entered.resolve();
        await release.promise;
        return message;
      },
    },
  });
  const first = foreignCall(address.port, Buffer.from('first'));
  await entered.promise;
  await expect(ownCall(address.port, Buffer.from('second'))).rejects.toMatchObject({
    code: 'grpc.unavailable',
  });
  release.resolve();
  expect((await first).toString()).toBe('first');
});

test('closing lets calls under way finish and refuses new ones', async () => {
  const entered = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const server = await start({
    methods: {
      [echo]: async (message) => {
        entered.resolve();
        await release.promise;
        return message;
      },
    },
  });
  const call = foreignCall(server.address.port, Buffer.from('last'));
  await entered.promise;
  const closed = server.close(5_000);
  await expect(ownCall(server.address.port, Buffer.from('late'))).rejects.toMatchObject({
    code: 'grpc.unavailable',
  });
  release.resolve();
  expect((await call).toString()).toBe('last');
  await closed;
});

/** What a server answers to a hand-made request. */
async function rawRequest(
  port: number,
  headers: http2.OutgoingHttpHeaders,
  body: Buffer,
): Promise<Record<string, unknown>> {
  const session = http2.connect(`http://127.0.0.1:${port}`);
  try {
    return await new Promise((resolve, reject) => {
      const seen: Record<string, unknown> = {};
      const stream = session.request({
        ':method': 'POST',
        ':path': echo,
        'content-type': 'application/grpc',
        ...headers,
      });
      stream.on('response', (head) => Object.assign(seen, head));
      stream.on('trailers', (trailers) => Object.assign(seen, trailers));
      stream.on('error', reject);
      stream.on('close', () => resolve(seen));
      stream.resume();
      if (headers[':method'] !== 'GET') stream.end(body);
    });
  } finally {
    session.destroy();
  }
}

test('malformed calls are answered, not hung up on', async () => {
  const { address } = await start();
  const { port } = address;
  const message = frameMessage(Buffer.from('x'));
  expect(await rawRequest(port, { ':method': 'GET' }, Buffer.alloc(0))).toMatchObject({ ':status': 405 });
  expect(await rawRequest(port, { 'content-type': 'application/grpcx' }, message)).toMatchObject({
    ':status': 415,
  });
  expect(await rawRequest(port, {}, Buffer.alloc(0))).toMatchObject({ 'grpc-status': '13' });
  expect(await rawRequest(port, {}, message.subarray(0, 5))).toMatchObject({ 'grpc-status': '13' });
  expect(await rawRequest(port, {}, Buffer.concat([message, message]))).toMatchObject({
    'grpc-status': '13',
  });
  expect(await rawRequest(port, { 'grpc-timeout': 'soon' }, message)).toMatchObject({ 'grpc-status': '13' });
  expect(await rawRequest(port, { 'grpc-encoding': 'gzip' }, message)).toMatchObject({ 'grpc-status': '12' });
  expect(await rawRequest(port, { 'content-type': 'application/grpc+proto' }, message)).toMatchObject({
    ':status': 200,
    'grpc-status': '0',
  });
});

test('a client that speaks something else ends only its own connection', async () => {
  const { address } = await start();
  const socket = net.connect(address.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.end('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
  socket.resume();
  await new Promise((resolve) => socket.once('close', resolve));
  expect((await foreignCall(address.port, Buffer.from('still here'))).toString()).toBe('still here');
});

test('nothing listening is told as unavailable', async () => {
  const server = await start();
  await server.close(10);
  await expect(ownCall(server.address.port, Buffer.from('x'))).rejects.toMatchObject({
    code: 'grpc.unavailable',
  });
});

test('timeouts and status messages survive their encoding', () => {
  expect(parseTimeout('1S')).toBe(1_000);
  expect(parseTimeout('250m')).toBe(250);
  expect(parseTimeout('2H')).toBe(7_200_000);
  expect(parseTimeout('123456789m')).toBeUndefined();
  expect(parseTimeout('1 S')).toBeUndefined();
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 86_400_000 * 365 }), (timeoutMs) => {
      const parsed = parseTimeout(formatTimeout(timeoutMs))!;
      return parsed >= timeoutMs && parsed < timeoutMs + 1_000;
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 200 }), (text) => {
      const encoded = encodeStatusMessage(text);
      return /^[\x20-\x7e]*$/.test(encoded) && decodeStatusMessage(encoded) === text;
    }),
  );
});
