import type { Clock } from '../../src/base/clock.ts';
import { parseDuration } from '../../src/base/duration.ts';
import type { Entropy } from '../../src/base/entropy.ts';
import { Fault } from '../../src/base/fault.ts';
import type { HttpClient, HttpRequest, HttpResponse } from '../../src/wire/http-client.ts';
import { buildCertificate, type Certificate, certificatePem, newSerial } from '../../src/x509/certificate.ts';
import {
  authorityKeyIdentifier,
  basicConstraints,
  keyUsage,
  subjectAltName,
  subjectKeyIdentifier,
} from '../../src/x509/extension.ts';
import { generateKey, keyIdentifier, type PrivateKey } from '../../src/x509/key.ts';
import { type Name, nameOf } from '../../src/x509/name.ts';
import { readRequestPem, requestIsSelfConsistent } from '../../src/x509/request.ts';
import { signerOf } from '../../src/x509/signature.ts';

export type FakeVaultState = 'up' | 'down' | 'sealed';

export interface FakeVault {
  http: HttpClient;
  root: Certificate;
  state: FakeVaultState;
  /** Tokens that may sign. */
  readonly tokens: Set<string>;
  /** Bodies of the requests that were signed, in order. */
  readonly signed: Record<string, string>[];
  /** Requests of any kind. */
  readonly asked: string[];
  /** What to answer in place of the next signature. */
  insteadOfSigning: { status: number; body: object } | undefined;
}

/**
 * As much of a Vault as cert-manager sees of one, behind the HTTP port: health, a token that may not look itself up
 * (as the tutorial's), and `pki/root/sign-intermediate` with a real root.
 */
export async function fakeVault(clock: Clock, entropy: Entropy): Promise<FakeVault> {
  const rootKey = generateKey({ type: 'ec', curve: 'P-256' }, entropy);
  const rootName = nameOf({ commonName: 'root.linkerd.cluster.local' });
  const issue = issuer(clock, entropy, rootKey, rootName);
  const root = await issue({
    subject: rootName,
    key: rootKey.publicKey,
    lifeMs: 2160 * 3_600_000,
    extensions: [],
  });
  const vault: FakeVault = {
    root,
    state: 'up',
    tokens: new Set(['good-token']),
    signed: [],
    asked: [],
    insteadOfSigning: undefined,
    http: {
      async send(request) {
        const { method } = request;
        const url = new URL(request.url);
        vault.asked.push(`${method} ${url.pathname}`);
        if (vault.state === 'down') {
          const message = `${method} ${url.href}: nothing listens on ${url.host}`;
          throw new Fault(message, { code: 'wire.request.refused', blame: 'peer' });
        }
        return answer(request, url.pathname);
      },
      open: () => Promise.reject(new Error('nothing streams here')),
      close() {},
    },
  };

  async function answer({ headers = {}, body }: HttpRequest, path: string): Promise<HttpResponse> {
    if (path === '/v1/sys/health') return json(vault.state === 'sealed' ? 503 : 200, {});
    if (vault.state === 'sealed') return json(503, { errors: ['Vault is sealed'] });
    if (path === '/v1/auth/token/lookup-self') return json(403, { errors: ['permission denied'] });
    if (path !== '/v1/pki/root/sign-intermediate') return json(404, { errors: ['no handler for route'] });
    if (!vault.tokens.has(String(headers['x-vault-token'])))
      return json(403, { errors: ['permission denied'] });
    const parameters = JSON.parse(body as string) as Record<string, string>;
    if (!parameters['csr']) return json(400, { errors: ['"csr" is empty'] });
    if (vault.insteadOfSigning) {
      const { status, body: instead } = vault.insteadOfSigning;
      return json(status, instead);
    }
    vault.signed.push(parameters);
    return json(200, await signIntermediate(parameters));
  }

  async function signIntermediate(parameters: Record<string, string>) {
    const request = readRequestPem(parameters['csr']!);
    if (!requestIsSelfConsistent(request))
      throw new Error('the request does not prove possession of its key');
    const names = parameters['alt_names']!.split(',').filter((name) => name !== '');
    const certificate = await issue({
      subject: nameOf({ commonName: parameters['common_name']! }),
      key: request.publicKey,
      lifeMs: parseDuration(parameters['ttl']!),
      extensions: names.length > 0 ? [subjectAltName(names.map((value) => ({ type: 'dns', value })))] : [],
    });
    const [pem, rootPem] = [certificate, root].map((each) => certificatePem(each).trim());
    return { data: { certificate: pem, issuing_ca: rootPem, ca_chain: [pem, rootPem], expiration: 0 } };
  }
  return vault;
}

function issuer(clock: Clock, entropy: Entropy, rootKey: PrivateKey, rootName: Name) {
  return (of: {
    subject: Name;
    key: PrivateKey['publicKey'];
    lifeMs: number;
    extensions: ReturnType<typeof keyUsage>[];
  }): Promise<Certificate> =>
    buildCertificate(
      {
        serial: newSerial(entropy),
        issuer: rootName,
        subject: of.subject,
        // Vault dates certificates half a minute back.
        notBefore: Math.floor(clock.now() / 1_000) * 1_000 - 30_000,
        notAfter: Math.floor(clock.now() / 1_000) * 1_000 + of.lifeMs,
        publicKey: of.key,
        extensions: [
          keyUsage(['cert sign', 'crl sign']),
          basicConstraints({ ca: true }),
          subjectKeyIdentifier(keyIdentifier(of.key)),
          authorityKeyIdentifier(keyIdentifier(rootKey.publicKey)),
          ...of.extensions,
        ],
      },
      signerOf(rootKey),
    );
}

function json(status: number, body: object): HttpResponse {
  return { status, headers: {}, body: Buffer.from(JSON.stringify(body)) };
}
