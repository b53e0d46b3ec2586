/** SHA-256 of a certificate's DER, lower-case hex; how certificates are referred to in an inventory. */
export type Fingerprint = string;

/** What there is of a mesh's certificates at one moment: plain data, without private keys. */
export interface Inventory {
  /** Epoch ms. */
  takenAtMs: number;
  /** Namespace of Linkerd's control plane. */
  controlNamespace: string;
  /** Every distinct certificate that was seen anywhere below. */
  certificates: readonly SeenCertificate[];
  /** What identity signs with. */
  issuer: IdentityIssuer;
  /** What workloads are told to trust. */
  trustRoots: TrustRoots;
  certificateResources: readonly CertificateResource[];
  issuerResources: readonly IssuerResource[];
  bundles: readonly BundleResource[];
  /** What servers really present. */
  endpoints: readonly SeenEndpoint[];
  /** What could not be looked at, a sentence each. */
  gaps: readonly string[];
}

export interface SeenCertificate {
  fingerprint: Fingerprint;
  pem: string;
  subject: string;
  issuer: string;
  /** Lower-case colon hex. */
  serial: string;
  /** Epoch ms. */
  notBefore: number;
  notAfter: number;
  isCa: boolean;
  /** Whether it is signed by its own key. */
  selfSigned: boolean;
  /** DNS names, addresses and URIs. */
  names: readonly string[];
  /** The seen certificates whose keys verify its signature, itself left out. */
  signedBy: readonly Fingerprint[];
  places: readonly Place[];
}

/** Where a certificate was seen. */
export type Place =
  | { kind: 'Secret' | 'ConfigMap'; namespace: string; name: string; key: string }
  | { kind: 'endpoint'; address: string };

/** The Secret linkerd-identity-issuer. */
export interface IdentityIssuer {
  /** `kubernetes.io/tls` or `linkerd.io/tls`: which keys of the Secret hold what. */
  scheme: string;
  /** The certificate that signs; absent where `problem` says why. */
  certificate?: Fingerprint;
  /** Certificates after it in its entry. */
  intermediates: readonly Fingerprint[];
  /** The trust anchors that lie beside it. */
  anchors: readonly Fingerprint[];
  /** Why it cannot be used as it is. */
  problem?: IssuerProblem;
}

export type IssuerProblem =
  | { kind: 'secret absent' }
  | { kind: 'entry absent'; key: string; holds: 'trust anchors' | 'issuer certificate' | 'issuer key' }
  | { kind: 'certificate unreadable' | 'key unreadable' | 'anchors unreadable'; detail: string }
  | { kind: 'key of another certificate' };

/** The ConfigMap linkerd-identity-trust-roots. */
export interface TrustRoots {
  present: boolean;
  anchors: readonly Fingerprint[];
  /** Why its text could not be read. */
  problem?: string;
}

/** A cert-manager Certificate. */
export interface CertificateResource {
  namespace: string;
  name: string;
  secretName: string;
  /** `ClusterIssuer vault-issuer` */
  issuerRef: string;
  ready: boolean;
  /** Why it is not ready, in the words of its condition. */
  message: string;
  /** Epoch ms; absent before the first issuance. */
  notAfter?: number;
  renewalTime?: number;
  /** The certificate in its Secret. */
  certificate?: Fingerprint;
}

/** An Issuer or ClusterIssuer. */
export interface IssuerResource {
  kind: 'Issuer' | 'ClusterIssuer';
  namespace?: string;
  name: string;
  /** `vault`, `ca`, `selfSigned`, … */
  type: string;
  ready: boolean;
  message: string;
}

/** A trust-manager Bundle and what stands in its targets. */
export interface BundleResource {
  name: string;
  synced: boolean;
  message: string;
  targets: readonly { namespace: string; certificates: readonly Fingerprint[] }[];
}

export interface SeenEndpoint {
  address: string;
  /** As presented, leaf first. */
  chain: readonly Fingerprint[];
  /** Why nothing was seen. */
  problem?: string;
}
