import { Fault } from '../../base/fault.ts';
import { findExtension, readBasicConstraints } from '../../x509/extension.ts';
import type { GeneralName } from '../../x509/general-name.ts';
import { formatIp, parseIp } from '../../x509/ip-address.ts';
import { commonName } from '../../x509/name.ts';
import { oids } from '../../x509/oid.ts';
import { type CertificateRequest, readRequest } from '../../x509/request.ts';
import { type LeafOrder, plainRequest } from '../leaf-request.ts';
import { permitsCommonName } from '../name-rules.ts';
import type { Role } from '../role.ts';
import type { TtlLimits } from '../validity.ts';
import type { Directory } from './directory.ts';
import { type Identifier, isWildcard } from './identifier.ts';
import { decodeBase64Url } from './jws.ts';
import type { Order } from './order.ts';
import { malformed, Problem } from './problem.ts';

/** The request of a finalization, read. @throws Problem `malformed`, `badCSR` */
export function readFinalization(payload: Readonly<Record<string, unknown>>): CertificateRequest {
  if (typeof payload.csr !== 'string') throw malformed('there is no csr');
  const der = decodeBase64Url(payload.csr, 'the csr');
  try {
    const csr = readRequest(der);
    const constraints = findExtension(csr.extensions, oids.basicConstraints);
    if (constraints && readBasicConstraints(constraints.value).ca)
      throw badCsr('it asks for a CA certificate');
    return csr;
  } catch (error) {
    if (error instanceof Problem || !(error instanceof Fault)) throw error;
    throw badCsr(error.message, error);
  }
}

/**
 * Whether a request is for an order's identifiers, all of them and nothing else: names of other kinds, which nobody
 * has proven anything of, included. @throws Problem `badCSR`
 */
export function checkRequest(csr: CertificateRequest, order: Order, accountSpki: Buffer): void {
  if (csr.spki.equals(accountSpki)) throw badCsr('its key must not be that of the account');
  const asked = new Set(namesOf(csr).map(textOf));
  const ordered = new Set(order.identifiers.map(textOf));
  const extra = [...asked].find((name) => !ordered.has(name));
  if (extra !== undefined) throw badCsr(`it asks for ${extra}, which the order does not name`);
  const missing = [...ordered].find((name) => !asked.has(name));
  if (missing !== undefined) throw badCsr(`it does not ask for ${missing}, which the order names`);
}

const textOf = ({ type, value }: Identifier) => `${type}:${value}`;

function namesOf(csr: CertificateRequest): Identifier[] {
  let names: readonly GeneralName[];
  try {
    names = csr.subjectAltNames;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw badCsr(error.message, error);
  }
  const name = commonName(csr.subject) ?? '';
  return [...names.map(identifierOf), ...(name === '' ? [] : [ofText(name)])];
}

function identifierOf(name: GeneralName): Identifier {
  if (name.type === 'dns') return { type: 'dns', value: name.value.toLowerCase() };
  if (name.type === 'ip') return { type: 'ip', value: name.value };
  throw badCsr(`it asks for a name of type ${name.type}, which nobody has proven to hold`);
}

function ofText(name: string): Identifier {
  const bytes = parseIp(name);
  return bytes ? { type: 'ip', value: formatIp(bytes) } : { type: 'dns', value: name.toLowerCase() };
}

/** What is ordered of the CA: names from the order, not from the request, so that nothing unproven slips in. */
export function leafOrder(
  order: Order,
  csr: CertificateRequest,
  { rules, verbatim, signer, settings }: Directory,
  { limits, nowMs }: { limits: TtlLimits; nowMs: number },
): LeafOrder {
  const latestMs = Math.min(nowMs + settings.max_ttl, signer.certificate.notAfter);
  const role: Role = {
    ...rules,
    use_csr_common_name: false,
    use_csr_sans: false,
    require_cn: false,
    // Of what else a subject holds, nothing has been proven; a role of an operator's says what passes.
    ...(verbatim ? { allowed_serial_numbers: [], allowed_user_ids: [] } : {}),
    ...(rules.not_after === ''
      ? {}
      : { not_after: instant(Math.min(Date.parse(rules.not_after), latestMs)) }),
  };
  const ttlMs = Math.min(role.ttl || limits.defaultTtlMs, role.max_ttl || limits.maxTtlMs, latestMs - nowMs);
  const end = order.notAfterMs;
  return {
    issuer: signer.id,
    role,
    request: {
      ...plainRequest,
      commonName: chooseCommonName(order, csr, rules),
      // It is among the names, or no host name.
      excludeCommonName: true,
      altNames: order.identifiers.filter(({ type }) => type === 'dns').map(({ value }) => value),
      ipSans: order.identifiers.filter(({ type }) => type === 'ip').map(({ value }) => value),
      ...(end === undefined ? { ttlMs } : { notAfterMs: Math.min(end, latestMs) }),
      ...(order.notBeforeMs === undefined ? {} : { notBeforeMs: order.notBeforeMs }),
    },
  };
}

function instant(ms: number): string {
  return new Date(ms).toISOString();
}

/** X.520's bound. */
const longestCommonName = 64;

/** The request's own; where the role wants one and clients leave it out, as they do today, the widest that fits. */
function chooseCommonName({ identifiers }: Order, csr: CertificateRequest, role: Role): string {
  const own = commonName(csr.subject) ?? '';
  if (own !== '' || !role.require_cn) return own;
  const candidates = [
    ...identifiers.filter(isWildcard),
    ...identifiers.filter((identifier) => !isWildcard(identifier)),
  ];
  const fits = ({ value }: Identifier) => value.length <= longestCommonName && permitsCommonName(value, role);
  return candidates.find(fits)?.value ?? '';
}

export function badCsr(why: string, cause?: unknown): Problem {
  return new Problem('badCSR', `the request for signing is not taken: ${why}`, { cause });
}
