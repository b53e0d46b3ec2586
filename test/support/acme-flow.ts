import { createHash } from 'node:crypto';
import { systemEntropy } from '../../src/base/entropy.ts';
import { type Certificate, readCertificates } from '../../src/x509/certificate.ts';
import { basicConstraints, subjectAltName } from '../../src/x509/extension.ts';
import type { GeneralName } from '../../src/x509/general-name.ts';
import { generateKey, type PrivateKey } from '../../src/x509/key.ts';
import { nameOf } from '../../src/x509/name.ts';
import { buildRequest } from '../../src/x509/request.ts';
import { signerOf } from '../../src/x509/signature.ts';
import type { TestNetwork } from './acme.ts';
import type { RawClient, RawReply } from './acme-raw.ts';

export const dns = (...values: string[]) => values.map((value) => ({ type: 'dns', value }));

/** A request for signing, as finalizations hold it. */
export async function csr(
  names: readonly GeneralName[],
  key: PrivateKey = generateKey({ type: 'ec', curve: 'P-256' }, systemEntropy),
  { commonName = '', ...more }: { commonName?: string; serialNumber?: string; ca?: boolean } = {},
): Promise<string> {
  const extensions = [subjectAltName(names), ...(more.ca ? [basicConstraints({ ca: true })] : [])];
  const subject = nameOf({ commonName, ...(more.serialNumber ? { serialNumber: more.serialNumber } : {}) });
  return (await buildRequest({ subject, extensions }, signerOf(key))).der.toString('base64url');
}

/** Of the account's key. */
export const thumbprint = ({ key }: RawClient) => {
  const sorted = Object.fromEntries(Object.entries(key.jwk).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return createHash('sha256').update(JSON.stringify(sorted)).digest('base64url');
};

/** Puts the answers to all DNS challenges of an order where they belong. */
async function publish({ texts }: TestNetwork, by: RawClient, order: RawReply): Promise<string[]> {
  const urls: string[] = [];
  for (const url of order.body.authorizations as string[]) {
    const { body } = await by.post(url);
    const { value } = body.identifier as { value: string };
    const challenges = body.challenges as { type: string; url: string; token: string }[];
    const { token, url: challenge } = challenges.find(({ type }) => type === 'dns-01')!;
    const digest = createHash('sha256')
      .update(`${token}.${thumbprint(by)}`)
      .digest('base64url');
    const name = `_acme-challenge.${value}`;
    texts.set(name, [...(texts.get(name) ?? []), digest]);
    urls.push(challenge);
  }
  return urls;
}

export async function until(by: RawClient, url: string, status: string): Promise<RawReply> {
  for (;;) {
    const reply = await by.post(url);
    if (reply.body.status === status) return reply;
    if (['invalid', 'deactivated'].includes(String(reply.body.status))) throw new Error(reply.text);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** An order that waits for nothing but its request for signing. */
export async function readyOrder(network: TestNetwork, by: RawClient, payload: object): Promise<RawReply> {
  const order = await by.post('new-order', payload);
  if (order.status !== 201) throw new Error(order.text);
  for (const url of await publish(network, by, order)) await by.post(url, {});
  return until(by, order.headers.get('location')!, 'ready');
}

export async function certified(
  network: TestNetwork,
  by: RawClient,
  names: string[],
  more: object = {},
): Promise<Certificate[]> {
  const order = await readyOrder(network, by, { identifiers: dns(...names), ...more });
  const request = await csr(names.map((value) => ({ type: 'dns', value })));
  const done = await by.post(String(order.body.finalize), { csr: request });
  if (done.status !== 200) throw new Error(done.text);
  return readCertificates((await by.post(String(done.body.certificate))).text);
}

export const dnsNames = (...values: string[]) => values.map((value) => ({ type: 'dns' as const, value }));
