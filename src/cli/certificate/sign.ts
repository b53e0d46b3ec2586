import { Fault } from '../../base/fault.ts';
import { buildCertificate, certificatePem, newSerial } from '../../x509/certificate.ts';
import { type Extension } from '../../x509/extension.ts';
import type { GeneralName } from '../../x509/general-name.ts';
import { commonName } from '../../x509/name.ts';
import { oids } from '../../x509/oid.ts';
import { type CertificateRequest, requestIsSelfConsistent } from '../../x509/request.ts';
import { signerOf } from '../../x509/signature.ts';
import type { Command } from '../command.ts';
import { readDocument } from './document.ts';
import { readBytes } from './file.ts';
import { readArguments, usageFault } from './flags.ts';
import { certificatesOf } from './input.ts';
import { readPrivateKeyFile } from './private-key.ts';
import {
  alternativeName,
  caLifetimeMs,
  insistOnIssuer,
  keyIdentifiers,
  leafLifetimeMs,
  profileExtensions,
} from './profile.ts';
import { readValidity } from './validity-flags.ts';

const help = `Signs a certificate request and prints the certificate in PEM.

Usage: capstan certificate sign REQUEST ISSUER KEY [FLAGS]

REQUEST is a file with a certificate request, ISSUER one with the certificate of who
signs, KEY one with its private key.

  --profile PROFILE  leaf (the default; for TLS servers and clients, one day),
                     intermediate-ca (ten years), or
                     csr (what the request asks for and no more, one day)
  --path-len NUMBER  how many CAs may stand below an intermediate-ca; 0 where nothing is
                     said, -1 for any number
  --omit-cn-san      with leaf: leave a request without alternative names as it is, instead
                     of making its common name one
  --not-before WHEN, --not-after WHEN
                     an RFC 3339 time, or a duration from now such as -5m or 2160h
  --password-file FILE
                     the password of KEY; at a terminal you are asked for it
  --bundle           print ISSUER's certificates behind the new one
  --help

  capstan certificate sign web.csr issuer.crt issuer.key --bundle > web.crt
  capstan certificate sign issuer.csr root.crt root.key --profile intermediate-ca

The status is 0, or 1 where nothing was signed.
`;

const options = {
  profile: { type: 'string', default: 'leaf' },
  'path-len': { type: 'string', default: '0' },
  'omit-cn-san': { type: 'boolean', default: false },
  'not-before': { type: 'string' },
  'not-after': { type: 'string' },
  'password-file': { type: 'string' },
  bundle: { type: 'boolean', default: false },
} as const;

const profiles = ['leaf', 'intermediate-ca', 'csr'] as const;
type Profile = (typeof profiles)[number];

export const command: Command = {
  summary: 'sign a certificate request',
  help,
  async run(args, context) {
    const { values, positionals } = readArguments(args, options, {
      command: 'sign',
      names: ['the certificate request', 'the certificate of the issuer', 'the private key of the issuer'],
    });
    const [requestPath, issuerPath, keyPath] = positionals as [string, string, string];
    const profile = readProfile(values.profile);
    const pathLength = readPathLength(values['path-len']);
    const request = readRequestOf(await readBytes(requestPath, context.cwd), requestPath);
    const issuers = certificatesOf(
      readDocument(await readBytes(issuerPath, context.cwd), issuerPath),
      issuerPath,
    );
    const key = await readPrivateKeyFile(keyPath, values['password-file'], context);
    const [certificate] = issuers;
    const below = profile === 'intermediate-ca' ? (pathLength ?? Number.POSITIVE_INFINITY) : undefined;
    insistOnIssuer({ certificate, key }, below);
    const { subject: name, publicKey } = request;
    const lifetimeMs = profile === 'intermediate-ca' ? caLifetimeMs : leafLifetimeMs;
    const subject = { name, publicKey, issuer: certificate };
    const signed = await buildCertificate(
      {
        serial: newSerial(context.entropy),
        issuer: certificate.subject,
        subject: name,
        ...readValidity(values, { now: context.clock.now(), lifetimeMs, command: 'sign' }),
        publicKey,
        extensions:
          profile === 'csr'
            ? [...askedFor(request), ...keyIdentifiers(subject)]
            : profileExtensions(
                profile === 'leaf'
                  ? { kind: 'leaf', names: namesOf(request, values['omit-cn-san']) }
                  : { kind: 'ca', ...(pathLength === undefined ? {} : { pathLength }) },
                subject,
              ),
      },
      signerOf(key),
    );
    context.stdout.write([signed, ...(values.bundle ? issuers : [])].map(certificatePem).join(''));
    return 0;
  },
};

function readProfile(profile: string): Profile {
  const known = profiles.find((one) => one === profile);
  if (known) return known;
  throw usageFault(
    `invalid value '${profile}' for flag '--profile'; options are ${profiles.join(', ')}`,
    'sign',
  );
}

/** Undefined for any number. */
function readPathLength(text: string): number | undefined {
  if (text === '-1') return undefined;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw usageFault(`invalid value '${text}' for flag '--path-len': path-len must be -1 or greater`, 'sign');
}

function readRequestOf(bytes: Buffer, from: string): CertificateRequest {
  const document = readDocument(bytes, from);
  if (document.kind !== 'request') {
    throw new Fault(`${from} holds a certificate and no certificate request`, {
      code: 'cli.certificate.request',
      blame: 'caller',
    });
  }
  if (requestIsSelfConsistent(document.request)) return document.request;
  throw new Fault('certificate request has invalid signature', {
    code: 'cli.certificate.request',
    blame: 'caller',
  });
}

/** The request's names of the four kinds that leaves are for, or its common name. */
function namesOf(request: CertificateRequest, omitCommonName: boolean): GeneralName[] {
  const names = request.subjectAltNames.filter(({ type }) => ['dns', 'email', 'ip', 'uri'].includes(type));
  const common = commonName(request.subject);
  if (names.length > 0 || omitCommonName || !common) return names;
  return [alternativeName(common)];
}

/** Key identifiers tell of the keys that there are, not of those that somebody asks for. */
function askedFor({ extensions }: CertificateRequest): Extension[] {
  const ours: readonly string[] = [oids.subjectKeyIdentifier, oids.authorityKeyIdentifier];
  return extensions.filter(({ oid }) => !ours.includes(oid));
}
