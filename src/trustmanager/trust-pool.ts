import { describeError, Fault } from '../base/fault.ts';
import { type Certificate, fingerprint, readCertificate } from '../x509/certificate.ts';
import { decodePem, encodePem } from '../x509/pem.ts';

export interface PoolFilters {
  /** Leaves out what has expired by this time (epoch ms). */
  unexpiredAtMs?: number;
  /** Leaves out what is no CA certificate. */
  authoritiesOnly?: boolean;
}

/** Certificates without repeats, in an order that depends on nothing but themselves. */
export interface TrustPool {
  /**
   * Adds the certificates of PEM text. The text must hold nothing else: a private key that was put there by
   * mistake must never be distributed, so it fails the whole text.
   *
   * @throws Fault `trustmanager.pem`
   */
  add(pem: string): void;
  readonly size: number;
  /** PEM blocks by the SHA-256 of their DER, without comments and without a newline at the end. */
  pem(): string;
  certificates(): Certificate[];
}

export function trustPool({ unexpiredAtMs, authoritiesOnly = false }: PoolFilters = {}): TrustPool {
  const byHash = new Map<string, Certificate>();
  const wanted = (certificate: Certificate) =>
    (unexpiredAtMs === undefined || certificate.notAfter >= unexpiredAtMs) &&
    (!authoritiesOnly || certificate.isCa);
  const certificates = () =>
    [...byHash].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, certificate]) => certificate);
  return {
    add(pem) {
      for (const certificate of certificatesOnly(pem)) {
        if (wanted(certificate)) byHash.set(fingerprint(certificate), certificate);
      }
    },
    get size() {
      return byHash.size;
    },
    pem: () =>
      certificates()
        .map(({ der }) => encodePem('CERTIFICATE', der))
        .join('')
        .trimEnd(),
    certificates,
  };
}

function certificatesOnly(pem: string): Certificate[] {
  const blocks = attempt('invalid PEM block in bundle', () => decodePem(pem));
  const stranger = blocks.find(({ label }) => label !== 'CERTIFICATE');
  if (stranger) {
    throw refused(
      `invalid PEM block in bundle: only CERTIFICATE blocks are permitted but found '${stranger.label}'`,
    );
  }
  return blocks.map(({ bytes }) =>
    attempt('invalid PEM block in bundle; invalid PEM certificate', () => whole(readCertificate(bytes))),
  );
}

/** Reads what is otherwise read only when it is asked for. */
function whole(certificate: Certificate): Certificate {
  void certificate.isCa;
  void certificate.subjectAltNames;
  return certificate;
}

function attempt<T>(what: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw refused(`${what}: ${describeError(error)}`, error);
  }
}

function refused(message: string, cause?: unknown): Fault {
  return new Fault(message, { code: 'trustmanager.pem', blame: 'operator', cause });
}
