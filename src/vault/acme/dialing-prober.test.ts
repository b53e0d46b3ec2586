import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server as NetServer,
} from 'node:net';
import { pipeline, Readable } from 'node:stream';
import { createServer as createBareTlsServer } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { systemEntropy } from '../../base/entropy.ts';
import type { Dialer } from '../../wire/dialer.ts';
import { buildCertificate, certificatePem, newSerial } from '../../x509/certificate.ts';
import { subjectAltName } from '../../x509/extension.ts';
import { generateKey, writePrivateKey } from '../../x509/key.ts';
import { nameOf } from '../../x509/name.ts';
import { signerOf } from '../../x509/signature.ts';
import { dialingProber } from './dialing-prober.ts';

const servers: NetServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    (server as Partial<Server>).closeAllConnections?.();
    await new Promise((resolve) => server.close(resolve));
  }
});

async function listening(server: NetServer): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const web = (listener: RequestListener) => listening(createServer(listener));

interface Asked {
  address: string;
  port: number;
}

/** A network in which every host has `addresses`, and port 80 and 443 of each are where `ports` says. */
function network(ports: Record<number, number>, addresses = ['192.0.2.1']) {
  const asked: Asked[] = [];
  const dialer: Dialer = {
    async addresses(host) {
      if (host.endsWith('.invalid')) throw Object.assign(new Error('not found'), { code: 'ENOTFOUND' });
      return addresses;
    },
    async texts(name) {
      if (name.startsWith('_none.')) throw Object.assign(new Error('not found'), { code: 'ENODATA' });
      return ['one', 'two'];
    },
    connect({ address, port, signal }) {
      asked.push({ address, port });
      if (address === '192.0.2.9')
        return Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
      return new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port: ports[port] ?? 1, signal });
        socket.once('connect', () => resolve(socket));
        socket.once('error', reject);
      });
    },
  };
  return { prober: dialingProber(dialer), asked };
}

const { signal } = new AbortController();
const options = { resolver: '', mostBytes: 512, signal };

async function identity(name: string) {
  const key = generateKey({ type: 'ec', curve: 'P-256' }, systemEntropy);
  const subject = nameOf({ commonName: name });
  const certificate = await buildCertificate(
    {
      serial: newSerial(systemEntropy),
      issuer: subject,
      subject,
      notBefore: Date.now() - 60_000,
      notAfter: Date.now() + 60_000,
      publicKey: key.publicKey,
      extensions: [subjectAltName([{ type: 'dns', value: name }])],
    },
    signerOf(key),
  );
  return { certificate, tls: { cert: certificatePem(certificate), key: writePrivateKey(key, 'pkcs8') } };
}

test('fetches with GET, the host named, and nothing else of ours', async () => {
  let seen: object = {};
  const port = await web((request, response) => {
    seen = { method: request.method, url: request.url, ...request.headers };
    response.end('proof');
  });
  const { prober } = network({ 80: port });
  expect(await prober.http('http://a.example/.well-known/x?y=1', options)).toEqual({
    found: { status: 200, body: Buffer.from('proof') },
  });
  expect(seen).toEqual({
    method: 'GET',
    url: '/.well-known/x?y=1',
    host: 'a.example',
    'user-agent': 'capstan-acme',
    accept: '*/*',
    connection: 'close',
  });
});

test('reads no more than it is told to, however much there is', async () => {
  let sent = 0;
  const port = await web((_, response) => {
    const endless = new Readable({
      read(size) {
        sent += size;
        this.push(Buffer.alloc(size));
      },
    });
    pipeline(endless, response, () => {});
  });
  const probe = await network({ 80: port }).prober.http('http://a.example/', options);
  expect('found' in probe && probe.found.body.length).toBe(513);
  expect(sent).toBeLessThan(64 * 2 ** 20);
});

test('follows redirects, to TLS that nobody vouches for as well, ten at most', async () => {
  const { tls } = await identity('a.example');
  const secure = await listening(
    createTlsServer(tls, (request, response) => response.end(request.headers.host)),
  );
  const plain = await web((request, response) => {
    const left = Number(request.url!.slice(1));
    const location = left > 1 ? `/${left - 1}` : 'https://b.example/';
    response.writeHead(302, { location }).end();
  });
  const { prober } = network({ 80: plain, 443: secure });
  expect(await prober.http('http://a.example/10', options)).toEqual({
    found: { status: 200, body: Buffer.from('b.example') },
  });
  expect(await prober.http('http://a.example/11', options)).toEqual({
    failure: { type: 'connection', detail: 'more than 10 redirects' },
  });
});

test.each([
  ['http://a.example:8080/', 'to another port than 80 and 443'],
  ['https://a.example:80/', 'to another port than 80 and 443'],
  ['ftp://a.example/', 'to ftp:, which is not followed'],
  ['file:///etc/passwd', 'to file:, which is not followed'],
  [`/${'x'.repeat(2_001)}`, 'nowhere'],
  ['http://', 'nowhere'],
])('does not follow a redirect to %s', async (location, why) => {
  const port = await web((_, response) => response.writeHead(301, { location }).end());
  const { prober, asked } = network({ 80: port });
  expect(await prober.http('http://a.example/', options)).toEqual({
    failure: { type: 'connection', detail: `a redirect leads ${why}` },
  });
  expect(asked).toHaveLength(1);
});

test('tries a few addresses of a host, and tells of the last', async () => {
  const port = await web((_, response) => response.end('proof'));
  const one = network({ 80: port }, ['192.0.2.9', '192.0.2.1']);
  expect(await one.prober.http('http://a.example/', options)).toMatchObject({ found: { status: 200 } });
  const none = network({ 80: port }, Array<string>(9).fill('192.0.2.9'));
  expect(await none.prober.http('http://a.example/', options)).toEqual({
    failure: { type: 'connection', detail: 'a.example could not be reached on port 80: ECONNREFUSED' },
  });
  expect(none.asked).toHaveLength(4);
});

test('goes to an address as it is', async () => {
  const port = await web((request, response) => response.end(request.headers.host));
  const { prober, asked } = network({ 80: port });
  expect(await prober.http('http://[2001:db8::1]/', options)).toMatchObject({
    found: { body: Buffer.from('[2001:db8::1]') },
  });
  expect(asked).toEqual([{ address: '2001:db8::1', port: 80 }]);
});

test('what speaks no HTTP, hangs up or has no name is a problem', async () => {
  const mute = await listening(createTcpServer((socket) => socket.resume().end('SSH-2.0\r\n')));
  const { prober } = network({ 80: mute, 443: mute });
  expect(await prober.http('http://a.example/', options)).toMatchObject({ failure: { type: 'connection' } });
  expect(await prober.http('http://a.invalid/', options)).toMatchObject({ failure: { type: 'dns' } });
  expect(
    await prober.tls('a.example', { resolver: '', signal, serverName: 'a.example', protocol: 'acme-tls/1' }),
  ).toMatchObject({ failure: { type: 'tls' } });
});

test('tells what a TLS server agrees on and shows', async () => {
  const { certificate, tls } = await identity('a.example');
  let asked = '';
  const SNICallback = (name: string, done: (error: Error | null) => void) => {
    asked = name;
    done(null);
  };
  const port = await listening(
    createBareTlsServer({ ...tls, SNICallback, ALPNProtocols: ['acme-tls/1'] }, (socket) =>
      socket.on('error', () => {}),
    ),
  );
  const { prober } = network({ 443: port });
  const tlsOptions = { resolver: '', signal, serverName: 'a.example', protocol: 'acme-tls/1' };
  expect(await prober.tls('a.example', tlsOptions)).toEqual({
    found: { protocol: 'acme-tls/1', chain: [certificate.der] },
  });
  expect(asked).toBe('a.example');
});

test('reads TXT records', async () => {
  const { prober } = network({});
  expect(await prober.texts('_acme-challenge.a.example', { resolver: '', signal })).toEqual({
    found: ['one', 'two'],
  });
  expect(await prober.texts('_none.a.example', { resolver: '', signal })).toEqual({
    failure: { type: 'dns', detail: 'no TXT record of _none.a.example was found: ENODATA' },
  });
});

test('ends at once where the server closes', async () => {
  const mute = await listening(createTcpServer((socket) => socket.resume().on('error', () => {})));
  const { prober } = network({ 80: mute });
  const closing = new AbortController();
  const probe = prober.http('http://a.example/', { ...options, signal: closing.signal });
  await new Promise((resolve) => setTimeout(resolve, 20));
  closing.abort();
  const ended = { failure: { type: 'connection', detail: 'the server is closing' } };
  expect(await probe).toEqual(ended);
  expect(await prober.http('http://a.example/', { ...options, signal: closing.signal })).toEqual(ended);
});
