import type { Authority } from '../../authority/authority.ts';
import { barePem } from '../../authority/issuer.ts';
import { verbatimRole } from '../../authority/leaf-request.ts';
import type { IssuedLeaf, SignedLeaf } from '../../authority/leaves.ts';
import type { Role } from '../../authority/role.ts';
import { type Certificate, isSelfSigned, serialText } from '../../x509/certificate.ts';
import { invalidRequest } from '../faults.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Caller, Captures, Route } from '../routing/route.ts';
import type { AnswerFormat } from './ca-fields.ts';
import {
  issueFields,
  type LeafFields,
  readLeafRequest,
  readVerbatimTerms,
  signFields,
  verbatimFields,
} from './leaf-fields.ts';
import { leaseOf } from './leaf-lease.ts';
import { renewalWarnings } from './renewal-warning.ts';
import { privateKeyPem, readCsr, signingIssuer, written, writtenKey } from './written.ts';

interface LeafGiven<Fields extends FieldTable> {
  fields: FieldValues<Fields>;
  captures: Captures;
  caller: Caller;
}

export const leafRoutes: readonly Route<Authority>[] = [
  ...paths('sign/:role', 'issuer/:issuer_ref/sign/:role', signFields, sign),
  ...paths('issue/:role', 'issuer/:issuer_ref/issue/:role', issueFields, issue),
  ...paths('sign-verbatim', 'issuer/:issuer_ref/sign-verbatim', verbatimFields, signVerbatim),
  ...paths('sign-verbatim/:role', 'issuer/:issuer_ref/sign-verbatim/:role', verbatimFields, signVerbatim),
];

/** The same below the mount, where the role names the issuer, and below an issuer. */
function paths<Fields extends FieldTable>(
  path: string,
  belowIssuer: string,
  fields: Fields,
  update: (authority: Authority, given: LeafGiven<Fields>) => Promise<Answer>,
): Route<Authority>[] {
  return [path, belowIssuer].map((each) => defineRoute(each, { fields, on: { update } }));
}

async function sign(
  authority: Authority,
  { fields, captures, caller }: LeafGiven<typeof signFields>,
): Promise<Answer> {
  const role = await findRole(authority, captures.role!);
  const issuer = signingIssuer(authority, captures.issuer_ref ?? role.issuer_ref).id;
  const format = readLeafFormat(fields.format);
  const order = { issuer, role, request: readLeafRequest(fields) };
  const leaf = await authority.leaves.sign(order, readCsr(fields.csr ?? ''));
  return answer(leaf, format, { fields, caller, role });
}

async function issue(
  authority: Authority,
  { fields, captures, caller }: LeafGiven<typeof issueFields>,
): Promise<Answer> {
  const role = await findRole(authority, captures.role!);
  const issuer = signingIssuer(authority, captures.issuer_ref ?? role.issuer_ref).id;
  const format = readLeafFormat(fields.format);
  const { key_type: type, key_bits: bits } = fields;
  const key = { ...(type === undefined ? {} : { type }), ...(bits === undefined ? {} : { bits }) };
  const order = { issuer, role, request: { ...readLeafRequest(fields), key } };
  return answer(await authority.leaves.issue(order), format, { fields, caller, role });
}

async function signVerbatim(
  authority: Authority,
  { fields, captures, caller }: LeafGiven<typeof verbatimFields>,
): Promise<Answer> {
  const base = captures.role === undefined ? undefined : await findRole(authority, captures.role);
  const role = verbatimRole(base, readVerbatimTerms(fields));
  const reference = captures.issuer_ref ?? (base ? role.issuer_ref : fields.issuer_ref || 'default');
  const issuer = signingIssuer(authority, reference).id;
  const format = readLeafFormat(fields.format);
  const order = { issuer, role, request: readLeafRequest(fields) };
  const leaf = await authority.leaves.signVerbatim(order, readCsr(fields.csr ?? ''));
  return answer(leaf, format, { fields, caller, role });
}

async function findRole(authority: Authority, name: string): Promise<Role> {
  const role = await authority.roles.get(name);
  if (!role) throw invalidRequest(`unknown role: ${name}`);
  return role;
}

function readLeafFormat(text = 'pem'): AnswerFormat {
  if (text === 'pem' || text === 'der' || text === 'pem_bundle') return text;
  throw invalidRequest('the "format" path parameter must be "pem", "der", or "pem_bundle"');
}

function answer(
  leaf: SignedLeaf | IssuedLeaf,
  format: AnswerFormat,
  { fields, caller, role }: { fields: LeafFields; caller: Caller; role: Role },
): Answer {
  const { certificate, issuer, chain, warnings } = leaf;
  const key = 'privateKey' in leaf ? leaf.privateKey : undefined;
  const shown = fields.remove_roots_from_chain ? chain.filter((one) => !isSelfSigned(one)) : chain;
  const bundle = () => [...(key ? [privateKeyPem(key, false)] : []), ...[certificate, ...chain].map(barePem)];
  const data = {
    ...(shown.length > 0 ? { ca_chain: shown.map((one) => writtenCa(one, format)) } : {}),
    certificate: format === 'pem_bundle' ? bundle().join('\n') : written(certificate, format),
    expiration: certificate.notAfter / 1_000,
    issuing_ca: writtenCa(issuer.certificate, format),
    not_before: certificate.notBefore / 1_000,
    ...(key ? writtenKey(key, format, fields.private_key_format) : {}),
    serial_number: serialText(certificate.serial),
  };
  return {
    data,
    warnings: [...warnings, ...renewalWarnings(caller, certificate)],
    ...(role.generate_lease && !role.no_store ? { lease: leaseOf(certificate) } : {}),
  };
}

const pems = new WeakMap<Certificate, string>();

/** A CA's certificate stands in every answer: its text is made once. */
function writtenCa(certificate: Certificate, format: AnswerFormat): string {
  if (format === 'der') return written(certificate, format);
  const pem = pems.get(certificate) ?? barePem(certificate);
  pems.set(certificate, pem);
  return pem;
}
