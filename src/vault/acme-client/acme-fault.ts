import { Fault } from '../../base/fault.ts';
import type { HttpResponse } from '../../wire/http-client.ts';

/** Of what a CA writes, no more goes into a log. */
const mostDetail = 400;

/** What a CA, or what stands where one should, answered instead of what was asked for. */
export class AcmeRefusal extends Fault {
  /** Without `urn:ietf:params:acme:error:`; empty where it told none. */
  readonly type: string;
  /** The answer's; undefined where it stood in an order or a challenge. */
  readonly status: number | undefined;
  /** From the answer on; undefined where it did not say. */
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    details: { type: string; status?: number; retryAfterMs?: number | undefined; fix?: string },
  ) {
    super(message, {
      code: 'vault.acme-client.refused',
      blame: 'peer',
      ...(details.fix ? { fix: details.fix } : {}),
    });
    this.type = details.type;
    this.status = details.status;
    this.retryAfterMs = details.retryAfterMs;
  }
}

/** The mends of what CAs refuse most. */
const fixes: Readonly<Record<string, string>> = {
  badCSR: 'set tls_acme_key_type to a kind of key that the role or policy of the CA takes',
  caa: 'let the CAA records of the domain name this CA',
  dns: 'correct the DNS records of the domain, or tls_acme_domains',
  externalAccountRequired: 'set tls_acme_eab_key_id and tls_acme_eab_mac_key',
  invalidContact: 'correct tls_acme_email',
  rateLimited: 'wait; the log tells when it is tried again',
  rejectedIdentifier: 'let the role or policy of the CA allow the name, or correct tls_acme_domains',
  unsupportedContact: 'correct tls_acme_email',
  unsupportedIdentifier: 'leave out of tls_acme_domains what the CA does not certify',
};

/** The refusal that a problem document makes, or an answer that is none. `doing`: `make the order`. */
export function refusalOf(doing: string, { status, headers, body }: HttpResponse): AcmeRefusal {
  const problem = readObject(body);
  return new AcmeRefusal(`the ACME server refused to ${doing}: ${problemText(problem, status)}`, {
    ...problemDetails(problem),
    status,
    retryAfterMs: retryAfterMs(headers['retry-after']),
  });
}

/** A problem that stands in an order or a challenge. `fix`: where its type has none of its own. */
export function failureOf(what: string, problem: unknown, fix: string): AcmeRefusal {
  const told = typeof problem === 'object' && problem !== null ? (problem as Record<string, unknown>) : {};
  return new AcmeRefusal(`${what}: ${problemText(told, undefined)}`, { fix, ...problemDetails(told) });
}

function problemDetails(problem: Readonly<Record<string, unknown>>): { type: string; fix?: string } {
  const type = typeOf(problem);
  const fix = Object.hasOwn(fixes, type) ? fixes[type] : undefined;
  return { type, ...(fix ? { fix } : {}) };
}

function typeOf({ type }: Readonly<Record<string, unknown>>): string {
  return typeof type === 'string' ? type.replace(/^urn:ietf:params:acme:error:/, '') : '';
}

/** The errors of Vault, whose paths a directory may be, are told as well. */
function problemText(problem: Readonly<Record<string, unknown>>, status: number | undefined): string {
  const { detail, errors } = problem;
  const told = typeof detail === 'string' ? detail : Array.isArray(errors) ? errors.join(', ') : '';
  const words = [typeOf(problem), told.replaceAll(/\s+/g, ' ').trim().slice(0, mostDetail)].filter(
    (word) => word !== '',
  );
  if (words.length > 0) return words.join(': ');
  return status === undefined ? 'it did not say why' : `status ${status}`;
}

export function readObject(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null) return parsed as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  return {};
}

/** Seconds; dates, which no ACME server writes, are passed over. */
export function retryAfterMs(value: string | undefined): number | undefined {
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : undefined;
}
