import { dayMs, hourMs } from '../../src/base/duration.ts';
import { type Entropy, seededEntropy } from '../../src/base/entropy.ts';
import { configMaps, secrets } from '../../src/kube/resource.ts';
import type { CertifyRequest } from '../../src/wire/grpc-identity.ts';
import { subjectAltName } from '../../src/x509/extension.ts';
import type { GeneralName } from '../../src/x509/general-name.ts';
import { generateKey, type KeySpec, type PrivateKey } from '../../src/x509/key.ts';
import { type NameParts, nameOf } from '../../src/x509/name.ts';
import { buildRequest } from '../../src/x509/request.ts';
import { signerOf } from '../../src/x509/signature.ts';
import { type Credential, issuance } from './certificates.ts';
import type { IssuerKube } from './issuer-kube.ts';

export const startMs = Date.UTC(2026, 0, 1);
export const webIdentity = 'web.emojivoto.serviceaccount.identity.linkerd.cluster.local';
export const identityService = 'linkerd-identity.linkerd.serviceaccount.identity.linkerd.cluster.local';

export interface Hierarchy {
  root: Credential;
  issuer: Credential;
}

/** A root and an issuer as the tutorial makes them: 90 days and 48 hours. */
export async function hierarchy(
  seed: string,
  { root, notBefore = startMs - hourMs }: { root?: Credential; notBefore?: number } = {},
): Promise<Hierarchy> {
  const issue = issuance(seed);
  const top = root ?? (await issue({ commonName: 'root.linkerd.cluster.local', notBefore }));
  const issuer = await issue({
    commonName: 'identity.linkerd.cluster.local',
    ...{ by: top, ca: true, notBefore, lifetimeMs: 2 * dayMs },
    dnsNames: ['identity.linkerd.cluster.local'],
  });
  return { root: top, issuer };
}

export function putIssuer(kube: IssuerKube, pair: { pem: string; keyPem: string }, silently = false): void {
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  kube.put(
    secrets,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'linkerd-identity-issuer', namespace: 'linkerd' },
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': base64(pair.pem), 'tls.key': base64(pair.keyPem) },
    },
    silently,
  );
}

export function putRoots(kube: IssuerKube, pem: string, silently = false): void {
  kube.put(
    configMaps,
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'linkerd-identity-trust-roots', namespace: 'linkerd' },
      data: { 'ca-bundle.crt': pem },
    },
    silently,
  );
}

const entropy: Entropy = seededEntropy('requests');

export async function certifyRequest(
  options: {
    identity?: string;
    token?: string;
    subject?: NameParts;
    names?: readonly GeneralName[];
    keySpec?: KeySpec;
    key?: PrivateKey;
  } = {},
): Promise<CertifyRequest> {
  const { identity = webIdentity, token = 'web-token' } = options;
  const { subject = { commonName: identity }, names = [{ type: 'dns', value: identity }] } = options;
  const key = options.key ?? generateKey(options.keySpec ?? { type: 'ec', curve: 'P-256' }, entropy);
  const request = await buildRequest(
    { subject: nameOf(subject), extensions: names.length > 0 ? [subjectAltName(names)] : [] },
    signerOf(key),
  );
  return { identity, token: Buffer.from(token), certificateSigningRequest: request.der };
}
