import { Fault } from '../base/fault.ts';
import {
  type Certificate,
  certificatePem,
  fingerprint,
  isSelfSigned,
  isSignedBy,
  serialText,
} from '../x509/certificate.ts';
import { comparable, formatName } from '../x509/name.ts';
import type { Fingerprint, Place, SeenCertificate } from './inventory.ts';

/** Gathers certificates as they turn up in one place and another. */
export interface CertificatesSeen {
  /** Notes that `certificate` was seen at `place`; answers how to refer to it. */
  add(certificate: Certificate, place: Place): Fingerprint;
  /** Every certificate once, with where it was seen and which of the others signed it. */
  all(): SeenCertificate[];
}

export function certificatesSeen(): CertificatesSeen {
  const seen = new Map<Fingerprint, { certificate: Certificate; places: Place[] }>();
  return {
    add(certificate, place) {
      const key = fingerprint(certificate);
      const entry = seen.get(key);
      if (!entry) seen.set(key, { certificate, places: [place] });
      else if (!entry.places.some((other) => samePlace(other, place))) entry.places.push(place);
      return key;
    },
    all() {
      const bySubject = Map.groupBy(seen, ([, { certificate }]) => comparable(certificate.subject));
      return [...seen].map(([key, { certificate, places }]) => {
        const namesakes = bySubject.get(comparable(certificate.issuer)) ?? [];
        const signedBy = namesakes
          .filter(([other, candidate]) => other !== key && isSignedBy(certificate, candidate.certificate))
          .map(([other]) => other);
        return { ...describe(key, certificate), signedBy, places };
      });
    },
  };
}

function describe(key: Fingerprint, certificate: Certificate) {
  return {
    fingerprint: key,
    pem: certificatePem(certificate),
    subject: formatName(certificate.subject),
    issuer: formatName(certificate.issuer),
    serial: serialText(certificate.serial),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    isCa: readable(() => certificate.isCa, false),
    selfSigned: isSelfSigned(certificate),
    names: readable(() => certificate.subjectAltNames, []).flatMap((name) =>
      name.type === 'dns' || name.type === 'ip' || name.type === 'uri' ? [name.value] : [],
    ),
  };
}

/** Extensions are read when asked for; one that is malformed is as good as absent to who only looks. */
function readable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return otherwise;
  }
}

function samePlace(a: Place, b: Place): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
