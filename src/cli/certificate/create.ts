import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { buildCertificate, type Certificate, certificatePem, newSerial } from '../../x509/certificate.ts';
import { subjectAltName } from '../../x509/extension.ts';
import type { GeneralName } from '../../x509/general-name.ts';
import { generateKeyAsync, type PrivateKey } from '../../x509/key.ts';
import { nameOf } from '../../x509/name.ts';
import { buildRequest, requestPem } from '../../x509/request.ts';
import { signerOf } from '../../x509/signature.ts';
import type { Command, CommandContext } from '../command.ts';
import { createHelp } from './create-help.ts';
import { readDocument } from './document.ts';
import { readBytes } from './file.ts';
import { readArguments, usageFault } from './flags.ts';
import { certificatesOf } from './input.ts';
import { readKeySpec } from './key-flags.ts';
import { insistOnFree, writeOutput } from './output-file.ts';
import { obtainPassword, privateKeyPem, readPrivateKeyFile } from './private-key.ts';
import {
  alternativeName,
  caLifetimeMs,
  type Issuer,
  insistOnIssuer,
  leafLifetimeMs,
  type Purpose,
  profileExtensions,
} from './profile.ts';
import { readValidity } from './validity-flags.ts';

const options = {
  profile: { type: 'string' },
  csr: { type: 'boolean', default: false },
  san: { type: 'string', multiple: true, default: [] as string[] },
  'not-before': { type: 'string' },
  'not-after': { type: 'string' },
  ca: { type: 'string' },
  'ca-key': { type: 'string' },
  'ca-password-file': { type: 'string' },
  kty: { type: 'string' },
  crv: { type: 'string' },
  curve: { type: 'string' },
  size: { type: 'string' },
  key: { type: 'string' },
  'password-file': { type: 'string' },
  'no-password': { type: 'boolean', default: false },
  bundle: { type: 'boolean', default: false },
  subtle: { type: 'boolean', default: false },
  insecure: { type: 'boolean', default: false },
  force: { type: 'boolean', short: 'f', default: false },
} as const;

type Flags = ReturnType<typeof readCreate>['values'];

const profiles = ['leaf', 'intermediate-ca', 'root-ca', 'self-signed'] as const;
type Profile = (typeof profiles)[number];

const refuse = (message: string) => usageFault(message, 'create');

export const command: Command = {
  summary: 'create a certificate or certificate request with its key',
  help: createHelp,
  async run(args, context) {
    const { values, positionals } = readCreate(args);
    const [subject, path, keyPath] = positionals as [string, string, string | undefined];
    if (path === keyPath) throw refuse('the certificate and the key cannot be one file');
    const profile = readProfile(values);
    insistOnFlags(values, profile);
    await insistOnFree(keyPath === undefined ? [path] : [path, keyPath], values, context);
    const issuer = values.csr ? undefined : await readIssuer(values, profile, context);
    const key = await obtainKey(values, context);
    const password = keyPath === undefined ? undefined : await keyPassword(values, context);
    const content = values.csr
      ? await request(subject, values, key)
      : await certificate({ subject, profile, issuer, key }, values, context);
    if (keyPath !== undefined) {
      const pem = await privateKeyPem(key, password, context.entropy);
      await writeOutput({ path: keyPath, content: pem }, values, context);
    }
    try {
      await writeOutput({ path, content }, values, context);
    } catch (error) {
      // A key that nothing was certified for is of no use, and would be in the way of the next try.
      if (keyPath !== undefined && !values.force) await rm(resolve(context.cwd, keyPath), { force: true });
      throw error;
    }
    const what = values.csr ? 'certificate signing request' : 'certificate';
    context.stderr.write(`Your ${what} has been saved in ${path}.\n`);
    if (keyPath !== undefined) context.stderr.write(`Your private key has been saved in ${keyPath}.\n`);
    return 0;
  },
};

function readCreate(args: readonly string[]) {
  const read = readArguments(args, options, {
    command: 'create',
    names: ['the subject', 'the file for the certificate', 'the file for the private key'],
    optional: 1,
  });
  if (read.positionals.length < 3 && read.values.key === undefined) {
    throw refuse('the file for the private key is missing');
  }
  return read;
}

function readProfile({ profile = 'leaf' }: Flags): Profile {
  const known = profiles.find((one) => one === profile);
  if (known) return known;
  throw refuse(`invalid value '${profile}' for flag '--profile'; options are ${profiles.join(', ')}`);
}

function insistOnFlags(values: Flags, profile: Profile): void {
  if (values['no-password'] && !values.insecure) {
    throw refuse("flag '--no-password' requires the '--insecure' flag");
  }
  if (values.key !== undefined) {
    for (const name of ['kty', 'crv', 'curve', 'size'] as const) {
      if (values[name] !== undefined) throw refuse(`flag '--${name}' is incompatible with '--key'`);
    }
  }
  if (values.csr) {
    for (const name of ['bundle', 'ca', 'ca-key', 'ca-password-file', 'not-before', 'not-after'] as const) {
      if (values[name]) throw refuse(`flag '--${name}' is incompatible with '--csr'`);
    }
    if (profile !== 'leaf') throw refuse("flag '--profile' is incompatible with '--csr'");
    return;
  }
  if (values.bundle && profile !== 'leaf') {
    throw refuse(`flag '--bundle' is incompatible with '--profile ${profile}'`);
  }
  if (profile === 'self-signed' && !values.subtle) {
    throw refuse("flag '--profile self-signed' requires the '--subtle' flag");
  }
  const signed = profile === 'leaf' || profile === 'intermediate-ca';
  for (const name of ['ca', 'ca-key'] as const) {
    const given = values[name] !== undefined;
    if (signed && !given) throw refuse(`flag '--profile ${profile}' requires the '--${name}' flag`);
    if (!signed && given) throw refuse(`flag '--${name}' is incompatible with '--profile ${profile}'`);
  }
}

async function readIssuer(
  values: Flags,
  profile: Profile,
  context: CommandContext,
): Promise<Issuer | undefined> {
  const { ca, 'ca-key': caKey, 'ca-password-file': passwordFile } = values;
  if (ca === undefined || caKey === undefined) return undefined;
  const [signing] = certificatesOf(readDocument(await readBytes(ca, context.cwd), ca), ca);
  const issuer = { certificate: signing, key: await readPrivateKeyFile(caKey, passwordFile, context) };
  insistOnIssuer(issuer, profile === 'intermediate-ca' ? 0 : undefined);
  return issuer;
}

async function obtainKey(values: Flags, context: CommandContext): Promise<PrivateKey> {
  if (values.key !== undefined) {
    return await readPrivateKeyFile(values.key, values['password-file'], context);
  }
  return await generateKeyAsync(readKeySpec(values, 'create'), context.entropy);
}

async function keyPassword(values: Flags, context: CommandContext): Promise<string | undefined> {
  if (values['no-password']) return undefined;
  const source = {
    file: values['password-file'],
    question: 'Please enter the password to encrypt the private key',
    fix: 'name a file with one (--password-file), or leave the key unencrypted (--no-password --insecure)',
  };
  return await obtainPassword(source, context);
}

function namesOf(subject: string, { san }: Flags): GeneralName[] {
  return (san.length > 0 ? san : [subject]).map(alternativeName);
}

async function request(subject: string, values: Flags, key: PrivateKey): Promise<string> {
  const extensions = [subjectAltName(namesOf(subject, values), subject === '')];
  return requestPem(
    await buildRequest({ subject: nameOf({ commonName: subject }), extensions }, signerOf(key)),
  );
}

interface Wanted {
  subject: string;
  profile: Profile;
  issuer: Issuer | undefined;
  key: PrivateKey;
}

async function certificate(
  { subject, profile, issuer, key }: Wanted,
  values: Flags,
  context: CommandContext,
): Promise<string> {
  const { publicKey } = key;
  const name = nameOf({ commonName: subject });
  const isCa = profile === 'root-ca' || profile === 'intermediate-ca';
  if (isCa && values.san.length > 0) {
    context.stderr.write(`WARNING! Flag '--san' has no effect with '--profile ${profile}'.\n`);
  }
  const purpose: Purpose = isCa
    ? { kind: 'ca', pathLength: profile === 'root-ca' ? 1 : 0 }
    : { kind: 'leaf', names: namesOf(subject, values) };
  const signing: Certificate | undefined = issuer?.certificate;
  const lifetimeMs = isCa ? caLifetimeMs : leafLifetimeMs;
  const made = await buildCertificate(
    {
      serial: newSerial(context.entropy),
      issuer: signing?.subject ?? name,
      subject: name,
      ...readValidity(values, { now: context.clock.now(), lifetimeMs, command: 'create' }),
      publicKey,
      extensions: profileExtensions(purpose, { name, publicKey, issuer: signing }),
    },
    signerOf(issuer?.key ?? key),
  );
  return [made, ...(values.bundle && signing ? [signing] : [])].map(certificatePem).join('');
}
