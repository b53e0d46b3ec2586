import type { Condition, KubeObject, Resource } from '../kube/resource.ts';

export const group = 'cert-manager.io';
const version = 'v1';

export const certificates: Resource = {
  group,
  version,
  kind: 'Certificate',
  plural: 'certificates',
  namespaced: true,
};
export const certificateRequests: Resource = {
  group,
  version,
  kind: 'CertificateRequest',
  plural: 'certificaterequests',
  namespaced: true,
};
export const issuers: Resource = { group, version, kind: 'Issuer', plural: 'issuers', namespaced: true };
export const clusterIssuers: Resource = {
  group,
  version,
  kind: 'ClusterIssuer',
  plural: 'clusterissuers',
  namespaced: false,
};

/** Labels and annotations, in upstream's words: other tools read and write them too. */
export const keys = {
  /** "For attention of" the controller: marks the Secrets that it watches. */
  attention: 'controller.cert-manager.io/fao',
  nextPrivateKey: 'cert-manager.io/next-private-key',
  certificateName: 'cert-manager.io/certificate-name',
  issuerName: 'cert-manager.io/issuer-name',
  issuerKind: 'cert-manager.io/issuer-kind',
  issuerGroup: 'cert-manager.io/issuer-group',
  commonName: 'cert-manager.io/common-name',
  dnsNames: 'cert-manager.io/alt-names',
  ipAddresses: 'cert-manager.io/ip-sans',
  uris: 'cert-manager.io/uri-sans',
  emailAddresses: 'cert-manager.io/email-sans',
  serialNumber: 'cert-manager.io/subject-serialnumber',
  organizations: 'cert-manager.io/subject-organizations',
  organizationalUnits: 'cert-manager.io/subject-organizationalunits',
  countries: 'cert-manager.io/subject-countries',
  provinces: 'cert-manager.io/subject-provinces',
  localities: 'cert-manager.io/subject-localities',
  postalCodes: 'cert-manager.io/subject-postalcodes',
  streetAddresses: 'cert-manager.io/subject-streetaddresses',
  revision: 'cert-manager.io/certificate-revision',
  privateKeySecretName: 'cert-manager.io/private-key-secret-name',
} as const;

/** Keys of a Secret's data. */
export const dataKeys = {
  certificate: 'tls.crt',
  privateKey: 'tls.key',
  ca: 'ca.crt',
  der: 'key.der',
  combined: 'tls-combined.pem',
} as const;

export interface IssuerReference {
  name: string;
  /** `Issuer` where absent or empty. */
  kind?: string;
  /** `cert-manager.io` where absent or empty. */
  group?: string;
}

export interface Subject {
  organizations?: string[];
  countries?: string[];
  organizationalUnits?: string[];
  localities?: string[];
  provinces?: string[];
  streetAddresses?: string[];
  postalCodes?: string[];
  serialNumber?: string;
}

export interface NameConstraintItem {
  dnsDomains?: string[];
  ipRanges?: string[];
  emailAddresses?: string[];
  uriDomains?: string[];
}

export interface RenewalWindow {
  cron: string;
  windowDuration: string;
  timezone?: string;
}

/** Durations are Go's text (`48h0m0s`). */
export interface CertificateSpec {
  secretName: string;
  issuerRef: IssuerReference;
  commonName?: string;
  literalSubject?: string;
  subject?: Subject;
  dnsNames?: string[];
  ipAddresses?: string[];
  uris?: string[];
  emailAddresses?: string[];
  otherNames?: { oid?: string; utf8Value?: string }[];
  isCA?: boolean;
  duration?: string;
  renewBefore?: string;
  renewBeforePercentage?: number;
  renewal?: { policy?: 'RenewBefore' | 'Disabled'; windows?: RenewalWindow[] };
  usages?: string[];
  encodeUsagesInRequest?: boolean;
  privateKey?: {
    algorithm?: 'RSA' | 'ECDSA' | 'Ed25519';
    size?: number;
    encoding?: 'PKCS1' | 'PKCS8';
    rotationPolicy?: 'Never' | 'Always';
  };
  signatureAlgorithm?: string;
  secretTemplate?: { annotations?: Record<string, string>; labels?: Record<string, string> };
  additionalOutputFormats?: { type: 'DER' | 'CombinedPEM' }[];
  nameConstraints?: { critical?: boolean; permitted?: NameConstraintItem; excluded?: NameConstraintItem };
  revisionHistoryLimit?: number;
  keystores?: Record<string, { create?: boolean } | undefined>;
}

/** Times are RFC 3339 in whole seconds. */
export interface CertificateStatus {
  conditions?: Condition[];
  notBefore?: string;
  notAfter?: string;
  renewalTime?: string;
  /** The revision whose certificate stands in the Secret; absent before the first. */
  revision?: number;
  nextPrivateKeySecretName?: string;
  lastFailureTime?: string;
  failedIssuanceAttempts?: number;
}

export interface Certificate extends KubeObject {
  spec: CertificateSpec;
  status?: CertificateStatus;
}

export interface CertificateRequestSpec {
  /** The PEM request, base64. */
  request: string;
  issuerRef: IssuerReference;
  duration?: string;
  isCA?: boolean;
  usages?: string[];
  username?: string;
  uid?: string;
  groups?: string[];
  extra?: Record<string, string[]>;
}

export interface CertificateRequestStatus {
  conditions?: Condition[];
  /** PEM, base64. */
  certificate?: string;
  /** PEM, base64. */
  ca?: string;
  failureTime?: string;
}

export interface CertificateRequest extends KubeObject {
  spec: CertificateRequestSpec;
  status?: CertificateRequestStatus;
}

export interface SecretKeyReference {
  name: string;
  key?: string;
}

interface ServiceAccountReference {
  name: string;
  audiences?: string[];
}

export interface VaultAuth {
  tokenSecretRef?: SecretKeyReference;
  appRole?: { path?: string; roleId: string; secretRef: SecretKeyReference };
  clientCertificate?: { mountPath?: string; secretName?: string; name?: string };
  kubernetes?: {
    mountPath?: string;
    role: string;
    secretRef?: SecretKeyReference;
    serviceAccountRef?: ServiceAccountReference;
  };
  aws?: Record<string, unknown>;
}

export interface VaultIssuer {
  server: string;
  /** Where requests are signed, below `/v1/`: `pki/root/sign-intermediate`. */
  path: string;
  auth: VaultAuth;
  /** PEM, base64. */
  caBundle?: string;
  caBundleSecretRef?: SecretKeyReference;
  clientCertSecretRef?: SecretKeyReference;
  clientKeySecretRef?: SecretKeyReference;
  serverName?: string;
  namespace?: string;
}

export interface IssuerSpec {
  vault?: VaultIssuer;
  selfSigned?: object;
  ca?: object;
  acme?: object;
  venafi?: object;
}

/** An Issuer or a ClusterIssuer: they differ in scope alone. */
export interface Issuer extends KubeObject {
  spec: IssuerSpec;
  status?: { conditions?: Condition[] };
}

/** A reference with its defaults written out. */
export function issuerIdentity(reference: Partial<IssuerReference>): Required<IssuerReference> {
  return {
    name: reference.name ?? '',
    kind: reference.kind || 'Issuer',
    group: reference.group || group,
  };
}

export function sameIssuer(one: Partial<IssuerReference>, other: Partial<IssuerReference>): boolean {
  const [a, b] = [issuerIdentity(one), issuerIdentity(other)];
  return a.name === b.name && a.kind === b.kind && a.group === b.group;
}

/** Whether `object` has `owner` as its controller. */
export function isOwnedBy(object: KubeObject, owner: KubeObject): boolean {
  return (object.metadata.ownerReferences ?? []).some(
    ({ uid, controller }) => controller === true && uid === owner.metadata.uid,
  );
}

/** The reference that makes a Certificate the controller of what is made for it. */
export function ownedBy({ apiVersion, kind, metadata }: KubeObject) {
  return {
    apiVersion,
    kind,
    name: metadata.name,
    uid: metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}
