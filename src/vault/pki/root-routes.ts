import type { Authority } from '../../authority/authority.ts';
import type { GeneratedRoot, SignedIntermediate } from '../../authority/ca-issuing.ts';
import { barePem } from '../../authority/issuer.ts';
import { serialText } from '../../x509/certificate.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Caller, Captures, Route } from '../routing/route.ts';
import { type AnswerFormat, caFields, readCaRequest, readFormat, readSignatureWish } from './ca-fields.ts';
import { renewalWarnings } from './renewal-warning.ts';
import { checkKeyKind, keyFields, type PkiContext, readWantedKey } from './wanted-key.ts';
import { readCsr, signingIssuer, written, writtenKey } from './written.ts';

const rootFields = {
  ...caFields,
  ...keyFields,
  issuer_name: 'text',
} as const satisfies FieldTable;

const intermediateFields = {
  ...caFields,
  csr: 'text',
  use_csr_values: 'boolean',
  issuer_ref: 'text',
  issuer_name: 'text',
  enforce_leaf_not_after_behavior: 'boolean',
} as const satisfies FieldTable;

export const rootRoutes: readonly Route<PkiContext>[] = [
  defineRoute('root/generate/:exported', {
    fields: rootFields,
    on: { update: (authority, given) => generateRoot(authority, given) },
  }),
  defineRoute('issuers/generate/root/:exported', {
    fields: rootFields,
    on: { update: (authority, given) => generateRoot(authority, given) },
  }),
  // Named so that `root/replace` finds it, where the name is free.
  defineRoute('root/rotate/:exported', {
    fields: rootFields,
    on: {
      update: (authority, given) =>
        generateRoot(authority, given, given.fields.issuer_name || (isFree(authority, 'next') ? 'next' : '')),
    },
  }),
  defineRoute('root/sign-intermediate', {
    fields: intermediateFields,
    on: {
      update: (authority, { fields, caller }) =>
        signIntermediate(authority, { fields, caller }, fields.issuer_ref || 'default'),
    },
  }),
  defineRoute('issuer/:issuer_ref/sign-intermediate', {
    fields: intermediateFields,
    on: {
      update: (authority, { fields, captures, caller }) =>
        signIntermediate(authority, { fields, caller }, captures.issuer_ref!),
    },
  }),
];

interface RootGiven {
  fields: FieldValues<typeof rootFields>;
  captures: Captures;
}

async function generateRoot(
  authority: PkiContext,
  { fields, captures }: RootGiven,
  issuerName = fields.issuer_name,
): Promise<Answer> {
  const kind = captures.exported!;
  checkKeyKind(kind);
  const format = readFormat(fields.format);
  const root = await authority.generateRoot({
    ...readCaRequest(fields),
    ...readSignatureWish(fields),
    key: await readWantedKey(authority, kind, fields),
    keyName: fields.key_name ?? '',
    issuerName: issuerName ?? '',
  });
  // The private key leaves here, once, because the caller asked for a root that is `exported`.
  const exported =
    kind === 'exported' ? writtenKey(root.key.privateKey, format, fields.private_key_format) : undefined;
  return { data: describeRoot(root, format, exported), warnings: root.warnings };
}

function isFree(authority: Authority, name: string): boolean {
  return !authority.issuers().some((issuer) => issuer.name === name);
}

function describeRoot(
  { issuer, key }: GeneratedRoot,
  format: AnswerFormat,
  exported: { private_key: string; private_key_type: string } | undefined,
): Record<string, unknown> {
  const { certificate } = issuer;
  const text = written(certificate, format);
  return {
    certificate: format === 'pem_bundle' && exported ? `${exported.private_key}\n${text}` : text,
    expiration: certificate.notAfter / 1_000,
    issuer_id: issuer.id,
    issuer_name: issuer.name,
    issuing_ca: text,
    key_id: key.id,
    key_name: key.name,
    ...exported,
    serial_number: serialText(certificate.serial),
  };
}

async function signIntermediate(
  authority: Authority,
  { fields, caller }: { fields: FieldValues<typeof intermediateFields>; caller: Caller },
  issuerRef: string,
): Promise<Answer> {
  const format = readFormat(fields.format);
  const request = readCaRequest(fields);
  const issuer = signingIssuer(authority, issuerRef);
  const { leafNotAfterBehavior: behavior } = issuer;
  const csr = readCsr(fields.csr ?? '');
  const signed = await authority.signIntermediate(
    issuer.id,
    {
      ...request,
      useCsrValues: fields.use_csr_values ?? false,
      // Vault from 1.17 on: an intermediate is cut to its issuer's end unless the issuer's own rule is to hold.
      beyondIssuer:
        fields.enforce_leaf_not_after_behavior || behavior === 'always_enforce_err' ? behavior : 'truncate',
      ...readSignatureWish(fields),
    },
    csr,
  );
  const warnings = [...signed.warnings, ...renewalWarnings(caller, signed.certificate)];
  return { data: describeIntermediate(signed, format), warnings };
}

function describeIntermediate(
  { certificate, chain }: SignedIntermediate,
  format: AnswerFormat,
): Record<string, unknown> {
  const whole = [certificate, ...chain];
  return {
    ca_chain: whole.map((one) => written(one, format)),
    certificate: format === 'pem_bundle' ? whole.map(barePem).join('\n') : written(certificate, format),
    expiration: certificate.notAfter / 1_000,
    issuing_ca: written(chain[0]!, format),
    serial_number: serialText(certificate.serial),
  };
}
