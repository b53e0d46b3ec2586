import type { Authority } from '../../authority/authority.ts';
import type { Crl } from '../../authority/list-keeper.ts';
import { Fault } from '../../base/fault.ts';
import { encodePem } from '../../x509/pem.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Answer, RequestOrigin, Route } from '../routing/route.ts';
import { conditional } from './modified.ts';

type Kind = 'complete' | 'delta';
type Form = 'der' | 'pem' | 'bare pem';

/** What certificates point at, and what relying parties read. */
export const crlRoutes: readonly Route<Authority>[] = [
  raw('crl', 'complete', 'der'),
  raw('crl/pem', 'complete', 'pem'),
  raw('crl/delta', 'delta', 'der'),
  raw('crl/delta/pem', 'delta', 'pem'),
  raw('cert/crl/raw', 'complete', 'der'),
  raw('cert/crl/raw/pem', 'complete', 'pem'),
  raw('cert/delta-crl/raw', 'delta', 'der'),
  raw('cert/delta-crl/raw/pem', 'delta', 'pem'),
  enveloped('cert/crl', 'complete'),
  enveloped('cert/delta-crl', 'delta'),
  ofIssuer('issuer/:issuer_ref/crl', 'complete'),
  raw('issuer/:issuer_ref/crl/der', 'complete', 'der'),
  raw('issuer/:issuer_ref/crl/pem', 'complete', 'pem'),
  ofIssuer('issuer/:issuer_ref/crl/delta', 'delta'),
  raw('issuer/:issuer_ref/crl/delta/der', 'delta', 'der'),
  raw('issuer/:issuer_ref/crl/delta/pem', 'delta', 'pem'),
  defineRoute('crl/rotate', {
    fields: noFields,
    on: {
      read: async (authority) => {
        const warnings = (await authority.crls.rotate()).map(
          (warning, index) =>
            `Warning ${index + 1} during CRL rebuild: warning from local CRL rebuild: ${warning}`,
        );
        return { data: { success: true }, ...(warnings.length > 0 ? { warnings } : {}) };
      },
    },
  }),
  defineRoute('crl/rotate-delta', {
    fields: noFields,
    on: {
      read: async (authority) => {
        if (authority.revocations.settings().enableDelta) {
          await authority.crls.rotateDeltas();
          return { data: { success: true } };
        }
        const warning = 'requested rebuild of delta CRL when delta CRL is not enabled; this is a no-op';
        return { data: { success: true }, warnings: [warning] };
      },
    },
  }),
];

function listOf(authority: Authority, kind: Kind, issuer = 'default'): Promise<Crl | undefined> {
  return kind === 'delta' ? authority.crls.delta(issuer) : authority.crls.complete(issuer);
}

/** Bytes, or none (204) where there is no such list. */
function raw(path: string, kind: Kind, form: Form): Route<Authority> {
  return defineRoute(path, {
    fields: noFields,
    open: true,
    on: {
      read: async (authority, { captures, origin }) => {
        const read = () => listOf(authority, kind, captures.issuer_ref);
        const reference = captures.issuer_ref;
        const crl = await (reference === undefined
          ? orNothing(read)
          : read().then((list) => list ?? noList(authority, reference)));
        // Vault ends the PEM of an issuer's own paths in a newline, and no other.
        const shown = form === 'pem' && reference === undefined ? 'bare pem' : form;
        return crl ? sinceModified(authority, crl, rawAnswer(crl, shown), origin) : nothingYet(shown);
      },
    },
  });
}

/** Which list it is that a path tells changes with the issuers, too. */
function sinceModified(authority: Authority, crl: Crl, answer: Answer, origin: RequestOrigin): Answer {
  return conditional(answer, origin, Math.max(crl.modifiedAt, authority.issuersModifiedAt()));
}

function rawAnswer(crl: Crl, form: Form): Answer {
  return { raw: { contentType: contentTypeOf(form), body: bodyOf(crl, form) } };
}

function nothingYet(form: Form): Answer {
  return { raw: { contentType: contentTypeOf(form), body: Buffer.alloc(0) } };
}

function contentTypeOf(form: Form): string {
  return form === 'der' ? 'application/pkix-crl' : 'application/x-pem-file';
}

function bodyOf(crl: Crl, form: Form): Buffer {
  if (form === 'der') return crl.der;
  return form === 'pem' ? pem(crl) : pem(crl).subarray(0, -1);
}

/** In the envelope, as certificates are below `cert/`. */
function enveloped(path: string, kind: Kind): Route<Authority> {
  return defineRoute(path, {
    fields: noFields,
    open: true,
    on: {
      read: async (authority, { origin }) => {
        const crl = await listOf(authority, kind);
        if (!crl) return undefined;
        const certificate = pem(crl).toString().trimEnd();
        const data = { certificate, revocation_time: 0, revocation_time_rfc3339: '' };
        return sinceModified(authority, crl, { data }, origin);
      },
    },
  });
}

function ofIssuer(path: string, kind: Kind): Route<Authority> {
  return defineRoute(path, {
    fields: noFields,
    open: true,
    on: {
      read: async (authority, { captures, origin }) => {
        const reference = captures.issuer_ref!;
        const crl = (await listOf(authority, kind, reference)) ?? noList(authority, reference);
        return sinceModified(authority, crl, { data: { crl: pem(crl).toString() } }, origin);
      },
    },
  });
}

/** An issuer without a key, or that may not sign lists. */
function noList(authority: Authority, reference: string): never {
  const { id } = authority.issuer(reference);
  throw new Fault(`unable to find CRL for issuer: id:${id}/ref:${reference}`, {
    code: 'authority.crl.absent',
    blame: 'caller',
  });
}

/** Raw answers cannot tell of an issuer that is not there, so they are empty. */
async function orNothing(read: () => Promise<Crl | undefined>): Promise<Crl | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof Fault && error.code === 'authority.issuer.absent') return undefined;
    throw error;
  }
}

const pems = new WeakMap<Crl, Buffer>();

/** Encoded once for a list, which may be megabytes. */
function pem(crl: Crl): Buffer {
  const known = pems.get(crl) ?? Buffer.from(encodePem('X509 CRL', crl.der));
  pems.set(crl, known);
  return known;
}
