import type { Certificate } from './certificate.ts';
import { oids } from './oid.ts';
import { type Problem, problem } from './path-problem.ts';

/** What a leaf is to be used for. The last three have rules of their own (RCS for MLS; C2PA). */
export type Usage = 'server auth' | 'client auth' | 'rcs mls client' | 'c2pa manifest' | 'c2pa time stamping';

/**
 * How strictly purposes of TLS are read: `lax` takes any purpose, or none named, for the one asked for; `leaf` wants
 * the leaf to name it, and to be no CA and to sign neither code, OCSP responses nor times; `path` wants every
 * intermediate that names purposes to name it too, and for clients that each names some.
 */
export type UsageRules = 'lax' | 'leaf' | 'path';

/** Where a certificate stands in its path. */
export interface Standing {
  isLeaf: boolean;
  anchor: boolean;
}

const rcsMlsClient = '2.23.146.2.1.3';
const documentSigning = '1.3.6.1.5.5.7.3.36';

/** Critical extensions that only this usage understands (GSMA RCC.16). */
export const rcsMlsExtensions: ReadonlySet<string> = new Set(['2.23.146.2.1.4', '2.23.146.2.1.5']);

const notForTls = [oids.codeSigning, oids.ocspSigning, oids.timeStamping];

/** Whether a certificate may stand in a path for `usage`; that of anchors is asked only where it binds. */
export function purposeProblem(
  certificate: Certificate,
  usage: Usage,
  rules: UsageRules,
  standing: Standing,
): Problem | undefined {
  switch (usage) {
    case 'server auth':
    case 'client auth':
      return tlsProblem(certificate, usage, rules, standing);
    case 'rcs mls client':
      return mlsProblem(certificate, standing);
    case 'c2pa manifest':
      return standing.isLeaf
        ? contentProblem(
            certificate,
            'signing manifests',
            [oids.emailProtection, documentSigning],
            [oids.timeStamping, oids.ocspSigning],
          )
        : undefined;
    case 'c2pa time stamping':
      return standing.isLeaf
        ? contentProblem(
            certificate,
            'time stamping',
            [oids.timeStamping],
            [oids.emailProtection, documentSigning, oids.ocspSigning],
          )
        : undefined;
  }
}

function tlsProblem(
  certificate: Certificate,
  usage: 'server auth' | 'client auth',
  rules: UsageRules,
  { isLeaf, anchor }: Standing,
): Problem | undefined {
  const purpose = usage === 'server auth' ? oids.serverAuth : oids.clientAuth;
  const { extendedKeyUsage } = certificate;
  const strict = isLeaf ? rules !== 'lax' : rules === 'path';
  // Servers' CAs from before purposes were named are many; clients' are not.
  const mustName = isLeaf ? strict : strict && usage === 'client auth' && !anchor;
  const named = extendedKeyUsage
    ? extendedKeyUsage.includes(purpose) || (!strict && extendedKeyUsage.includes(oids.anyExtendedKeyUsage))
    : !mustName;
  if (!named) {
    const whom = usage === 'server auth' ? 'servers' : 'clients';
    return problem(
      'purpose',
      certificate,
      `is not for authenticating ${whom}: its extended key usage leaves that out`,
    );
  }
  if (!isLeaf || !strict) return undefined;
  if (extendedKeyUsage?.some((one) => (notForTls as readonly string[]).includes(one))) {
    return problem('purpose', certificate, 'signs code, OCSP responses or times, and is not for TLS too');
  }
  if (!anchor && certificate.isCa) {
    return problem('purpose', certificate, 'is a CA certificate, and not for TLS itself');
  }
  return undefined;
}

/** RCS clients' certificates have one use and one purpose, and so have their CAs (GSMA RCC.16). */
function mlsProblem(certificate: Certificate, { isLeaf, anchor }: Standing): Problem | undefined {
  const { keyUsage, extendedKeyUsage } = certificate;
  if (isLeaf && keyUsage?.join() !== 'digital signature') {
    return problem('purpose', certificate, 'is not for digital signatures alone, as RCS clients must be');
  }
  if (anchor && !extendedKeyUsage) return undefined;
  if (extendedKeyUsage?.join() === rcsMlsClient) return undefined;
  return problem('purpose', certificate, 'is not for RCS clients alone: its extended key usage differs');
}

function contentProblem(
  certificate: Certificate,
  what: string,
  wanted: readonly string[],
  prohibited: readonly string[],
): Problem | undefined {
  const purposes = certificate.extendedKeyUsage ?? [];
  const refused = [...prohibited, oids.anyExtendedKeyUsage];
  if (purposes.some((one) => wanted.includes(one)) && !purposes.some((one) => refused.includes(one)))
    return undefined;
  return problem(
    'purpose',
    certificate,
    `is not for ${what}: its extended key usage leaves that out or adds to it`,
  );
}
