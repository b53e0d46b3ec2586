import type { KubeObject, Secret } from '../kube/resource.ts';
import { samePublicKey } from '../x509/key.ts';
import { decodePem } from '../x509/pem.ts';
import { goCsv } from './go-text.ts';
import { firstCertificate, type HeldSecret } from './held-secret.ts';
import { type Certificate, type CertificateRequest, dataKeys, type IssuerReference, keys } from './kinds.ts';
import { namesIn } from './subject-names.ts';

/** Who writes the Secrets, in upstream's name: others look for it in managedFields. */
export const secretManager = 'cert-manager-certificates-issuing';

/** What was issued, all PEM. */
export interface IssuedMaterial {
  privateKey: string;
  certificate: string;
  ca: string | undefined;
  /** Whom the Secret names as its Certificate and issuer; left out where unknown. */
  certificateName: string | undefined;
  issuer: IssuerReference | undefined;
}

/**
 * What a Secret should hold, told from the request that led to it and the key that it has, so that a tampered
 * certificate or root is put right; where that request is gone, from the Secret itself. Undefined where the Secret
 * holds no usable pair: that calls for an issuance.
 */
export function issuedMaterial(
  secret: HeldSecret,
  request: CertificateRequest | undefined,
): IssuedMaterial | undefined {
  const { annotations = {} } = secret.object.metadata;
  const privateKey = secret.text(dataKeys.privateKey);
  const certificate = base64Text(request?.status?.certificate) || secret.text(dataKeys.certificate);
  if (!privateKey || !certificate || !isPair(secret, certificate)) return undefined;
  if (request) {
    const { status, spec, metadata } = request;
    return {
      privateKey,
      certificate,
      ca: base64Text(status?.ca) || undefined,
      certificateName: metadata.annotations?.[keys.certificateName],
      issuer: spec.issuerRef,
    };
  }
  const issuer = {
    name: annotations[keys.issuerName] ?? '',
    kind: annotations[keys.issuerKind] ?? '',
    group: annotations[keys.issuerGroup] ?? '',
  };
  return {
    privateKey,
    certificate,
    ca: secret.text(dataKeys.ca) || undefined,
    certificateName: annotations[keys.certificateName],
    issuer: Object.values(issuer).some((part) => part !== '') ? issuer : undefined,
  };
}

function isPair(secret: HeldSecret, certificatePem: string): boolean {
  try {
    return samePublicKey(firstCertificate(certificatePem).publicKey, secret.privateKey().publicKey);
  } catch {
    return false;
  }
}

function base64Text(value: string | undefined): string {
  return Buffer.from(value ?? '', 'base64').toString('utf8');
}

export type SecretContent = KubeObject & Required<Pick<Secret, 'data' | 'type'>> & Record<string, unknown>;

/**
 * The Secret of a Certificate as it is applied: what it says of itself in annotations, the template's metadata, key,
 * certificate and root, and the further formats. An existing Secret keeps its type, which cannot change.
 */
export function secretContent(
  { metadata, spec }: Certificate,
  material: IssuedMaterial,
  existing: Secret | undefined,
): SecretContent {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: spec.secretName,
      namespace: metadata.namespace!,
      labels: { ...spec.secretTemplate?.labels, [keys.attention]: 'true' },
      annotations: {
        ...spec.secretTemplate?.annotations,
        ...certificateAnnotations(material.certificate),
        ...(material.certificateName ? { [keys.certificateName]: material.certificateName } : {}),
        ...issuerAnnotations(material.issuer),
      },
    },
    type: existing?.type ?? 'kubernetes.io/tls',
    data: {
      ...furtherFormats(spec.additionalOutputFormats, material),
      [dataKeys.privateKey]: base64(material.privateKey),
      [dataKeys.certificate]: base64(material.certificate),
      ...(material.ca ? { [dataKeys.ca]: base64(material.ca) } : {}),
    },
  };
}

function issuerAnnotations(issuer: IssuerReference | undefined): Record<string, string> {
  if (!issuer) return {};
  return {
    [keys.issuerName]: issuer.name,
    [keys.issuerKind]: issuer.kind ?? '',
    [keys.issuerGroup]: issuer.group ?? '',
  };
}

/** Common name, DNS names, addresses and URIs always; the rest where there is any. */
function certificateAnnotations(pem: string): Record<string, string> {
  const names = namesIn(firstCertificate(pem));
  const always = {
    [keys.commonName]: names.commonName,
    [keys.dnsNames]: goCsv(names.dnsNames),
    [keys.ipAddresses]: goCsv(names.ipAddresses),
    [keys.uris]: goCsv(names.uris),
  };
  const whereAny = {
    [keys.serialNumber]: names.serialNumber,
    [keys.organizations]: goCsv(names.organizations),
    [keys.organizationalUnits]: goCsv(names.organizationalUnits),
    [keys.countries]: goCsv(names.countries),
    [keys.provinces]: goCsv(names.provinces),
    [keys.localities]: goCsv(names.localities),
    [keys.postalCodes]: goCsv(names.postalCodes),
    [keys.streetAddresses]: goCsv(names.streetAddresses),
    [keys.emailAddresses]: goCsv(names.emailAddresses),
  };
  return { ...always, ...Object.fromEntries(Object.entries(whereAny).filter(([, value]) => value !== '')) };
}

function furtherFormats(
  formats: Certificate['spec']['additionalOutputFormats'] = [],
  { privateKey, certificate }: IssuedMaterial,
): Record<string, string> {
  const asked = new Set(formats.map(({ type }) => type));
  const der = asked.has('DER') ? decodePem(privateKey)[0]?.bytes : undefined;
  return {
    ...(der ? { [dataKeys.der]: der.toString('base64') } : {}),
    ...(asked.has('CombinedPEM') ? { [dataKeys.combined]: base64(`${privateKey}\n${certificate}`) } : {}),
  };
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
