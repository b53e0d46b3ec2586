import { parse } from 'yaml';
import { describeError, Fault } from '../base/fault.ts';
import type { ConfigMap, Secret } from '../kube/resource.ts';
import { type Certificate, readCertificates } from '../x509/certificate.ts';
import { readPrivateKey, samePublicKey } from '../x509/key.ts';
import type { CertificatesSeen } from './certificates-seen.ts';
import type { Fingerprint, IdentityIssuer, IssuerProblem, TrustRoots } from './inventory.ts';

export const issuerSecretName = 'linkerd-identity-issuer';
export const trustRootsName = 'linkerd-identity-trust-roots';
export const trustRootsKey = 'ca-bundle.crt';
export const linkerdConfigName = 'linkerd-config';

/** Where each scheme keeps what in the Secret. */
const schemeKeys = {
  'kubernetes.io/tls': { certificate: 'tls.crt', key: 'tls.key' },
  'linkerd.io/tls': { certificate: 'crt.pem', key: 'key.pem' },
} as const;

const anchorsKey = 'ca.crt';

interface LinkerdConfig {
  scheme: string | undefined;
  trustAnchorsPem: string | undefined;
}

/** What an installation by chart or CLI wrote down about itself. */
export function readLinkerdConfig(configMap: ConfigMap | undefined): LinkerdConfig {
  const nothing = { scheme: undefined, trustAnchorsPem: undefined };
  const values = configMap?.data?.values;
  if (!values) return nothing;
  let document: unknown;
  try {
    document = parse(values);
  } catch {
    // An unreadable note leaves the Secret to speak for itself.
    return nothing;
  }
  const { identity, identityTrustAnchorsPEM } = (document ?? {}) as {
    identity?: { issuer?: { scheme?: unknown } };
    identityTrustAnchorsPEM?: unknown;
  };
  const text = (value: unknown) => (typeof value === 'string' && value !== '' ? value : undefined);
  return { scheme: text(identity?.issuer?.scheme), trustAnchorsPem: text(identityTrustAnchorsPEM) };
}

/** What the Secret of identity's issuer holds, by the scheme that the installation names or the Secret shows. */
export function readIssuerSecret(
  secret: Secret | undefined,
  config: LinkerdConfig,
  seen: CertificatesSeen,
): IdentityIssuer {
  const { data = {}, type } = secret ?? {};
  const shown = type === 'kubernetes.io/tls' || 'tls.crt' in data || !secret;
  const scheme = config.scheme ?? (shown ? 'kubernetes.io/tls' : 'linkerd.io/tls');
  const issuer: IdentityIssuer = { scheme, intermediates: [], anchors: [] };
  const problem = (found: IssuerProblem): IdentityIssuer => ({ ...issuer, problem: found });
  if (!secret) return problem({ kind: 'secret absent' });

  const external = scheme !== 'linkerd.io/tls';
  const keys = schemeKeys[external ? 'kubernetes.io/tls' : 'linkerd.io/tls'];
  const text = (key: string) =>
    data[key] === undefined ? undefined : Buffer.from(data[key], 'base64').toString('utf8');
  const at = (key: string) => ({
    kind: 'Secret' as const,
    namespace: secret.metadata.namespace ?? '',
    name: secret.metadata.name,
    key,
  });

  const anchorsPem = external ? text(anchorsKey) : (config.trustAnchorsPem ?? '');
  if (anchorsPem === undefined)
    return problem({ kind: 'entry absent', key: anchorsKey, holds: 'trust anchors' });
  const certificatePem = text(keys.certificate);
  if (certificatePem === undefined) {
    return problem({ kind: 'entry absent', key: keys.certificate, holds: 'issuer certificate' });
  }
  const keyPem = text(keys.key);
  if (keyPem === undefined) return problem({ kind: 'entry absent', key: keys.key, holds: 'issuer key' });

  const chain = readable(certificatePem);
  if ('detail' in chain) return problem({ kind: 'certificate unreadable', detail: chain.detail });
  const [certificate, ...intermediates] = chain.certificates;
  if (!certificate) return problem({ kind: 'certificate unreadable', detail: 'No certificates found' });
  issuer.certificate = seen.add(certificate, at(keys.certificate));
  issuer.intermediates = intermediates.map((each) => seen.add(each, at(keys.certificate)));

  const keyProblem = problemOfKey(keyPem, certificate);
  if (keyProblem) return problem(keyProblem);

  const anchors = readable(anchorsPem);
  if ('detail' in anchors) return problem({ kind: 'anchors unreadable', detail: anchors.detail });
  issuer.anchors = anchors.certificates.map((each) => seen.add(each, at(anchorsKey)));
  return issuer;
}

function problemOfKey(pem: string, certificate: Certificate): IssuerProblem | undefined {
  try {
    const key = readPrivateKey(pem);
    return samePublicKey(key.publicKey, certificate.publicKey)
      ? undefined
      : { kind: 'key of another certificate' };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { kind: 'key unreadable', detail: error.message };
  }
}

/** What workloads are told to trust. */
export function readTrustRoots(configMap: ConfigMap | undefined, seen: CertificatesSeen): TrustRoots {
  if (!configMap) return { present: false, anchors: [] };
  const { name, namespace = '' } = configMap.metadata;
  const read = certificatesAt(
    configMap.data?.[trustRootsKey] ?? '',
    { kind: 'ConfigMap', namespace, name, key: trustRootsKey },
    seen,
  );
  return { present: true, ...read };
}

/** Notes the certificates of `pem` as seen at `place`. */
export function certificatesAt(
  pem: string,
  place: { kind: 'Secret' | 'ConfigMap'; namespace: string; name: string; key: string },
  seen: CertificatesSeen,
): { anchors: Fingerprint[]; problem?: string } {
  const read = readable(pem);
  if ('detail' in read) return { anchors: [], problem: read.detail };
  return { anchors: read.certificates.map((certificate) => seen.add(certificate, place)) };
}

function readable(pem: string): { certificates: Certificate[] } | { detail: string } {
  try {
    const certificates = readCertificates(pem);
    // Nothing at all is an empty list; something that holds no certificate is a mistake.
    if (certificates.length === 0 && pem.trim() !== '') return { detail: 'not a PEM certificate' };
    return { certificates };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { detail: describeError(error) };
  }
}
