import { formatDuration } from '../../base/duration.ts';
import { paragraph, table } from './columns.ts';
import { misuse } from './failure.ts';
import { fieldOf, type Secret, secretDocument } from './secret.ts';
import type { Format, Terminal } from './terminal.ts';
import {
  entriesOf,
  isObject,
  jsonText,
  NumberText,
  plainText,
  quotedList,
  type Value,
  type ValueObject,
} from './value.ts';

/** Prints a whole secret: in a table its lease, token and wrapping first, then its data by key. */
export async function printSecret(terminal: Terminal, secret: Secret): Promise<void> {
  if (terminal.format !== 'table') return printDocument(terminal, secretDocument(secret));
  printWarnings(terminal, secret);
  const rows = [
    ...leaseRows(secret),
    ...tokenRows(secret),
    ...wrapRows(secret),
    ...dataRows(secret.data ?? {}),
  ];
  if (rows.length > 0) terminal.line(table(['Key', 'Value'], rows));
}

/** Prints a document as JSON or YAML. */
export async function printDocument(terminal: Terminal, document: Value): Promise<void> {
  terminal.line((await documentText(terminal.format, document)).trimEnd());
}

/** Prints the keys of a list answer in order; `-detailed` adds a column for each thing told about them. */
export async function printKeys(terminal: Terminal, secret: Secret, keys: readonly Value[]): Promise<void> {
  if (terminal.format !== 'table') {
    // Only JSON has room for what stands beside the keys.
    const whole = terminal.format === 'json' && terminal.detailed;
    return printDocument(terminal, whole ? secretDocument(secret) : keys);
  }
  printWarnings(terminal, secret);
  if (keys.length === 0) return;
  const stray = keys.find((key) => typeof key !== 'string');
  if (stray !== undefined) throw misuse(`Could not parse output: ${plainText(stray)} is not a string`);
  const sorted = (keys as string[]).toSorted();
  const told = terminal.detailed ? toldAbout(secret, sorted) : {};
  const headers = [...new Set(Object.values(told).flatMap((about) => Object.keys(about)))].toSorted();
  const rows = sorted.map((key) => {
    const about = told[key];
    return about ? [key, ...headers.map((header) => detail(about, header))] : [key];
  });
  terminal.line(table(['Keys', ...headers], rows));
}

function toldAbout({ data }: Secret, keys: readonly string[]): Record<string, ValueObject> {
  const info = data?.key_info;
  if (!isObject(info)) return {};
  const known = new Set(keys);
  return Object.fromEntries(
    Object.entries(info).filter(
      (entry): entry is [string, ValueObject] => known.has(entry[0]) && isObject(entry[1]),
    ),
  );
}

function detail(about: ValueObject, header: string): string {
  const value = about[header];
  return value === undefined ? 'n/a' : cell(header, value);
}

/** Prints one field of a secret, without a line end where stdout is no terminal. */
export async function printField(terminal: Terminal, secret: Secret, field: string): Promise<void> {
  const value = fieldOf(secret, field);
  if (value === undefined) throw misuse(`Field ${JSON.stringify(field)} not present in secret`);
  if (terminal.format === 'pretty') return terminal.bare('');
  const plain = terminal.format === 'table' || terminal.format === 'raw';
  terminal.bare(plain ? plainText(value) : await documentText(terminal.format, value));
}

/** The field asked for with `-field`, else the whole secret. */
export async function printFieldOrSecret(terminal: Terminal, secret: Secret, field: string): Promise<void> {
  await (field ? printField(terminal, secret, field) : printSecret(terminal, secret));
}

async function documentText(format: Format, document: Value): Promise<string> {
  switch (format) {
    case 'json':
      return jsonText(document, 2);
    case 'yaml':
    case 'yml':
      return (await import('./yaml-text.ts')).yamlText(document);
    default:
      throw misuse(`Could not parse output: cannot use the ${format} formatter for this type`);
  }
}

export function printWarnings(terminal: Terminal, { warnings }: Secret): void {
  if (!warnings || warnings.length === 0) return;
  terminal.warn('WARNING! The following warnings were returned from Vault:\n');
  for (const warning of warnings) terminal.warn(`${paragraph(`* ${warning}`, 2)}\n`);
}

function leaseRows({ leaseDurationSeconds, leaseId, renewable }: Secret): string[][] {
  if (leaseDurationSeconds <= 0) return [];
  const duration = humanSeconds(leaseDurationSeconds);
  // A secret with a duration and no lease is kept until the reader asks again (a key-value secret).
  if (!leaseId) return [['refresh_interval', duration]];
  return [
    ['lease_id', leaseId],
    ['lease_duration', duration],
    ['lease_renewable', String(renewable)],
  ];
}

function tokenRows({ auth }: Secret): string[][] {
  if (!auth) return [];
  const endless = auth.leaseDurationSeconds === 0;
  return [
    ['token', auth.token],
    ['token_accessor', auth.accessor],
    ['token_duration', endless ? '∞' : humanSeconds(auth.leaseDurationSeconds)],
    ['token_renewable', String(auth.renewable)],
    ['token_policies', quotedList(auth.tokenPolicies)],
    ['identity_policies', quotedList(auth.identityPolicies)],
    ['policies', quotedList(auth.policies)],
    ...entriesOf(auth.metadata ?? {}).map(([key, value]) => [`token_meta_${key}`, plainText(value)]),
  ];
}

function wrapRows({ wrapInfo }: Secret): string[][] {
  if (!wrapInfo) return [];
  return [
    ['wrapping_token:', wrapInfo.token],
    ['wrapping_accessor:', wrapInfo.accessor],
    ['wrapping_token_ttl:', humanSeconds(wrapInfo.ttlSeconds)],
    ['wrapping_token_creation_time:', spacedTime(wrapInfo.creationTime)],
    ['wrapping_token_creation_path:', wrapInfo.creationPath],
    ...(wrapInfo.wrappedAccessor ? [['wrapped_accessor:', wrapInfo.wrappedAccessor]] : []),
  ];
}

function dataRows(data: ValueObject): string[][] {
  return entriesOf(data).map(([key, value]) => [key, cell(key, value)]);
}

/** A value under its key: whole seconds under a key that names a duration read as one. */
function cell(key: string, value: Value): string {
  const seconds = value instanceof NumberText && /^-?\d+$/.test(value.text) ? Number(value.text) : undefined;
  return seconds !== undefined && namesDuration(key) ? humanSeconds(seconds) : plainText(value);
}

function namesDuration(key: string): boolean {
  return /(^|_)(period|ttl|duration)$/.test(key) || key === 'lease_max' || key === 'ttl_max';
}

/** `768h`, `1h30m`, `45s`: a duration without the zeros at its end. */
function humanSeconds(seconds: number): string {
  const text = formatDuration(seconds * 1_000);
  return text.replace(/(?<=m)0s$/, '').replace(/(?<=h)0m(?=$|\d)/, '');
}

/** RFC 3339 as Go prints a time by itself: `2026-02-01 10:00:00.5 +0000 UTC`. */
function spacedTime(time: string): string {
  const match = /^(\S+)T([\d:]+)(\.\d+)?(?:Z|([+-]\d\d):(\d\d))$/.exec(time);
  if (!match) return time;
  const [, date, clock, fraction = '', hours, minutes] = match;
  const zone = hours === undefined ? '+0000 UTC' : `${hours}${minutes} ${hours}${minutes}`;
  return `${date} ${clock}${fraction.replace(/\.?0+$/, '')} ${zone}`;
}
