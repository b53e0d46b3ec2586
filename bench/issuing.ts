import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { systemEntropy } from '../src/base/entropy.ts';
import { kubeClient } from '../src/kube/http-kube-client.ts';
import { readKubeconfig } from '../src/kube/kubeconfig.ts';
import { resourcePath, serviceAccounts } from '../src/kube/resource.ts';
import { httpClient } from '../src/wire/http-client.ts';
import { parseListenAddress } from '../src/wire/http-server.ts';
import { subjectAltName } from '../src/x509/extension.ts';
import { generateKey } from '../src/x509/key.ts';
import { nameOf } from '../src/x509/name.ts';
import { encodePem } from '../src/x509/pem.ts';
import { buildRequest } from '../src/x509/request.ts';
import { signerOf } from '../src/x509/signature.ts';
import { root } from '../tools/sources.ts';
import { certifyCaller } from './certify-caller.ts';
import { median, opensslSpeed, print, throughput } from './measure.ts';

const windowMs = 3_000;
const rounds = 3;
const width = 16;
const distinctRequests = 256;

/** `sign-intermediate` and Certify, each beside what openssl does on one core in the same run. */
export async function benchIssuing(): Promise<void> {
  const speed = opensslSpeed();
  if (speed) {
    print('openssl, one core: P-256 sign', `${speed.signPerSecond.toFixed(0)}/s`);
    print('openssl, one core: P-256 verify', `${speed.verifyPerSecond.toFixed(0)}/s`);
    print('openssl, one core: verify and sign', `${speed.verifyAndSignPerSecond.toFixed(0)}/s`);
  }
  const share = (rate: number) =>
    speed
      ? `, ${((100 * rate) / speed.verifyAndSignPerSecond).toFixed(0)} % of openssl's verify and sign`
      : '';
  const folder = mkdtempSync(join(tmpdir(), 'capstan-bench-'));
  try {
    for (const [name, args] of [
      ['sign-intermediate, in memory', []],
      ['sign-intermediate, stored durably', [`-data=${join(folder, 'ca')}`]],
    ] as const) {
      const rate = await signIntermediate(args);
      print(name, `${rate.toFixed(0)}/s${share(rate)}`);
    }
    const rate = await certify(folder);
    print('Certify, TokenReview included', `${rate.toFixed(0)}/s${share(rate)}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Started {
  line: string;
  stop(): void;
}

/** Starts `capstan ARGS`; answers once it prints a line that matches. */
function start(args: readonly string[], ready: RegExp): Promise<Started> {
  const child = spawn(process.execPath, [join(root, 'bin', 'capstan.mjs'), ...args], {
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  return new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (ready.test(line)) resolve({ line, stop: () => child.kill('SIGTERM') });
    });
    child.once('exit', () => reject(new Error(`capstan ${args.join(' ')} ended early`)));
  });
}

async function signIntermediate(more: readonly string[]): Promise<number> {
  const server = await start(
    ['vault', 'server', '-dev', '-dev-listen-address=127.0.0.1:0', '-dev-root-token-id=bench', ...more],
    /Api Address: /,
  );
  const address = server.line.replace(/^.*Api Address: /, '').trim();
  const http = httpClient();
  const write = async (path: string, body: object) => {
    const response = await http.send({
      method: 'PUT',
      url: `${address}/v1/${path}`,
      headers: { 'x-vault-token': 'bench' },
      body: JSON.stringify(body),
    });
    if (response.status >= 300) throw new Error(`${path}: ${response.body.toString()}`);
    return response;
  };
  await write('sys/mounts/pki', { type: 'pki' });
  await write('sys/mounts/pki/tune', { max_lease_ttl: '2160h' });
  await write('pki/root/generate/internal', { common_name: 'root', ttl: '2160h', key_type: 'ec' });
  const requests = await Promise.all(
    Array.from({ length: distinctRequests }, async (_, index) => {
      const name = `issuer-${index}.example`;
      return encodePem('CERTIFICATE REQUEST', await requestFor(name));
    }),
  );
  let next = 0;
  const sign = () =>
    write('pki/root/sign-intermediate', {
      csr: requests[next++ % requests.length],
      common_name: 'issuer.example',
      ttl: '48h',
      exclude_cn_from_sans: 'true',
    });
  const rate = await settled(sign);
  http.close();
  server.stop();
  return rate;
}

async function requestFor(name: string): Promise<Buffer> {
  const key = generateKey({ type: 'ec', curve: 'P-256' }, systemEntropy);
  const extensions = [subjectAltName([{ type: 'dns', value: name }])];
  const request = await buildRequest({ subject: nameOf({ commonName: name }), extensions }, signerOf(key));
  return request.der;
}

async function certify(folder: string): Promise<number> {
  const anyPort = ['--vault-address=127.0.0.1:0', '--api-address=127.0.0.1:0'];
  const up = await start(
    ['up', '--json', `--data=${join(folder, 'chain')}`, ...anyPort],
    /"identity":|"step":"chain"/,
  );
  const { identity } = (JSON.parse(up.line) as { details: { identity: string } }).details;
  const access = readKubeconfig(readFileSync(join(folder, 'chain', 'kubeconfig'), 'utf8'));
  const kube = kubeClient(access, { userAgent: 'bench' });
  const at = { namespace: 'emojivoto', name: 'web' };
  for (let tries = 0; !(await kube.get(serviceAccounts, at.name, at.namespace)); tries++) {
    if (tries > 300) throw new Error('the workloads were never set up');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const { status } = await kube.ask<{ status: { token: string } }>(
    resourcePath(serviceAccounts, { ...at, subresource: 'token' }),
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { audiences: ['identity.l5d.io'], expirationSeconds: 3600 },
    },
  );
  const name = 'web.emojivoto.serviceaccount.identity.linkerd.cluster.local';
  const requests = await Promise.all(
    Array.from({ length: distinctRequests }, async () => ({
      identity: name,
      token: Buffer.from(status.token),
      certificateSigningRequest: await requestFor(name),
    })),
  );
  const caller = await certifyCaller(parseListenAddress(identity), requests);
  const rate = await settled(caller.call);
  caller.close();
  kube.close();
  up.stop();
  return rate;
}

/** The middle of a few windows, after one that warms up. */
async function settled(act: () => Promise<unknown>): Promise<number> {
  await throughput(act, width, windowMs / 2);
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) rates.push(await throughput(act, width, windowMs));
  return median(rates);
}
