import { formatDuration, parseDuration } from '../base/duration.ts';
import { Fault } from '../base/fault.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { readCertificates } from '../x509/certificate.ts';
import { chainOf, chainPem } from './chain.ts';
import { firstCertificate } from './held-secret.ts';
import type { CertificateRequest, Issuer } from './kinds.ts';
import { requestIn } from './request-match.ts';
import type { SigningOutcome } from './request-plan.ts';
import { namesIn } from './subject-names.ts';
import {
  type HttpClientFactory,
  openVault,
  type SignedCertificate,
  type SignParameters,
} from './vault-client.ts';
import { vaultAccess } from './vault-credentials.ts';

export interface SigningContext {
  kube: KubeClient;
  connect: HttpClientFactory;
  clusterResourceNamespace: string;
}

const defaultDuration = '2160h';

/** Has an issuer's Vault sign a request. Never rejects: how it ended is the answer. */
export async function signRequest(
  request: CertificateRequest,
  issuer: Issuer,
  context: SigningContext,
): Promise<SigningOutcome> {
  let vault;
  try {
    vault = await openVault(await vaultAccess(issuer, context), context.connect);
  } catch (error) {
    return { ended: 'no client', error };
  }
  let parameters: SignParameters;
  try {
    parameters = signParameters(request);
  } catch (error) {
    return { ended: 'unusable', error: asked('failed to decode CSR for signing', error) };
  }
  let signed: SignedCertificate;
  try {
    signed = await vault.sign(parameters);
  } catch (error) {
    return { ended: 'not signed', error };
  }
  try {
    return { ended: 'signed', ...signedChain(signed) };
  } catch (error) {
    return { ended: 'unusable', error: asked('failed to parse certificate chain from vault', error) };
  }
}

/** The body of the request to Vault, field by field what upstream sends. */
export function signParameters(request: CertificateRequest): SignParameters {
  const names = namesIn(requestIn(request));
  return {
    common_name: names.commonName,
    alt_names: names.dnsNames.join(','),
    ip_sans: names.ipAddresses.join(','),
    uri_sans: names.uris.join(','),
    ttl: formatDuration(parseDuration(request.spec.duration ?? defaultDuration)),
    csr: Buffer.from(request.spec.request, 'base64').toString('utf8'),
    exclude_cn_from_sans: 'true',
  };
}

/** tls.crt and ca.crt of what Vault answered. */
export function signedChain(signed: SignedCertificate): { certificate: string; ca: string | undefined } {
  const others = [signed.issuing_ca ?? '', ...(signed.ca_chain ?? [])].flatMap((pem) =>
    pem.trim() === '' ? [] : readCertificates(pem),
  );
  return chainPem(chainOf(firstCertificate(signed.certificate), others));
}

function asked(what: string, error: unknown): Fault {
  const message = error instanceof Error ? error.message : String(error);
  return new Fault(`${what}: ${message}`, { code: 'certmanager.vault.answer', blame: 'peer', cause: error });
}
