import { describeError, Fault } from '../../base/fault.ts';
import type { Certificate } from '../../x509/certificate.ts';
import { findExtension, readAuthorityInfoAccess, readCrlDistributionPoints } from '../../x509/extension.ts';
import { buildOcspRequest } from '../../x509/ocsp-request.ts';
import { readOcspResponse } from '../../x509/ocsp-response.ts';
import { judgeOcsp } from '../../x509/ocsp-verdict.ts';
import { oids } from '../../x509/oid.ts';
import type { CommandContext } from '../command.ts';
import { judgeCrl } from '../crl/judge.ts';
import { type Access, clientFor, isUrl, readList } from '../crl/source.ts';

/** A certificate whose revocation is looked into, and who would have revoked it. */
export interface Looked {
  certificate: Certificate;
  issuer: Certificate;
  access: Access;
  context: CommandContext;
  /** Told of each place that could not be asked. */
  onSilence: (message: string) => void;
}

/**
 * Looks for the certificate on its revocation list: the one at `endpoint`, else the first of its distribution points
 * that has a list to rely on. Answers where that was.
 *
 * @throws Fault `cli.certificate.revocation` where it is revoked, or nothing was to be learnt
 */
export function checkCrl(looked: Looked, endpoint: string | undefined): Promise<string> {
  const { certificate } = looked;
  const points = endpoint === undefined ? distributionPoints(certificate) : [endpoint];
  if (points.length === 0) throw revocationFault('CRL distribution endpoint not found in certificate');
  const silence = 'could not verify certificate against CRL distribution point(s)';
  return firstToAnswer(points, looked, silence, async (point) => {
    const list = await readList(point, looked.access, looked.context);
    const verdict = judgeCrl(list, [looked.issuer], looked.context.clock.now());
    if (!verdict.valid)
      throw silent(`error validating the CRL against the CA issuer: ${verdict.reason ?? 'no CA'}`);
    if (findExtension(list.extensions, oids.deltaCrlIndicator)) throw silent(`${point} is a delta CRL`);
    if (list.revoked.some(({ serial }) => serial.equals(certificate.serial)))
      throw revocationFault(`certificate marked as revoked in CRL ${point}`);
  });
}

/** The same by OCSP: at `endpoint`, else at the responders that the certificate names. */
export function checkOcsp(looked: Looked, endpoint: string | undefined): Promise<string> {
  const { certificate, issuer, context } = looked;
  const responders = endpoint === undefined ? ocspServers(certificate) : [endpoint];
  if (responders.length === 0) throw revocationFault('no OCSP AIA extension found');
  const silence = 'could not verify certificate against OCSP server(s)';
  return firstToAnswer(responders, looked, silence, async (responder) => {
    const response = readOcspResponse(await askResponder(responder, looked));
    const verdict = judgeOcsp(response, certificate, { issuer, at: context.clock.now() });
    if (!verdict.reliable) throw silent(`OCSP server ${responder}: ${verdict.reason}`);
    const { status } = verdict.is;
    if (status === 'revoked')
      throw revocationFault(`certificate has been revoked according to OCSP ${responder}`);
    if (status === 'unknown')
      throw revocationFault(`certificate status is unknown according to OCSP ${responder}`);
  });
}

async function askResponder(url: string, { certificate, issuer, access, context }: Looked): Promise<Buffer> {
  const client = await clientFor(access, context);
  try {
    const { status, body } = await client.send({
      method: 'POST',
      url,
      headers: { 'content-type': 'application/ocsp-request' },
      body: buildOcspRequest(certificate, issuer),
      signal: context.signal,
    });
    if (status === 200) return body;
    throw silent(`OCSP server ${url} answers with status ${status}`);
  } finally {
    client.close();
  }
}

/** Asks one place after the other until one has an answer, whatever it is. */
async function firstToAnswer(
  places: readonly string[],
  { onSilence }: Looked,
  silence: string,
  ask: (place: string) => Promise<void>,
): Promise<string> {
  for (const place of places) {
    try {
      await ask(place);
      return place;
    } catch (error) {
      if (!(error instanceof Fault) || error.code === revocationCode) throw error;
      onSilence(describeError(error));
    }
  }
  throw revocationFault(silence);
}

function distributionPoints({ extensions }: Certificate): string[] {
  const extension = findExtension(extensions, oids.crlDistributionPoints);
  return extension ? readCrlDistributionPoints(extension.value).filter(isUrl) : [];
}

function ocspServers({ extensions }: Certificate): string[] {
  const extension = findExtension(extensions, oids.authorityInfoAccess);
  return extension ? readAuthorityInfoAccess(extension.value).ocsp.filter(isUrl) : [];
}

const revocationCode = 'cli.certificate.revocation';

function revocationFault(message: string): Fault {
  return new Fault(message, { code: revocationCode, blame: 'caller' });
}

function silent(message: string): Fault {
  return new Fault(message, { code: 'cli.certificate.silent', blame: 'peer' });
}
