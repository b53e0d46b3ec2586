import { signatureAlgorithmName } from '../../x509/algorithm-name.ts';
import type { CertificateList } from '../../x509/crl.ts';
import { formatName } from '../../x509/name.ts';
import { hexLines, magnitude } from '../../x509/text-layout.ts';
import { entryExtensions, printedExtension } from './extension.ts';
import type { CrlVerdict } from './judge.ts';

/**
 * A list in words, laid out as `step crl inspect` does. step counts its version up from the list's number and leaves
 * its issuer's name empty; both are told as they are here.
 */
export function printCrl(list: CertificateList, verdict: CrlVerdict): string {
  const algorithm = signatureAlgorithmName(list.signatureAlgorithm);
  const version = crlVersion(list);
  const lines = [
    'Certificate Revocation List (CRL):',
    '    Data:',
    `        Valid: ${verdict.valid}`,
    ...(verdict.valid || verdict.reason === undefined ? [] : [`        Reason: ${verdict.reason}`]),
    `        Version: ${version} (0x${version - 1})`,
    `    Signature algorithm: ${algorithm}`,
    `        Issuer: ${formatName(list.issuer)}`,
    `        Last Update: ${goTime(list.thisUpdate)}`,
    `        Next Update: ${list.nextUpdate === undefined ? 'none' : goTime(list.nextUpdate)}`,
    '        CRL Extensions:',
    ...list.extensions.flatMap((extension) => indented(extension, 12)),
    ...printEntries(list),
    `    Signature Algorithm: ${algorithm}`,
    ...hexLines(list.signature, 16, 8),
  ];
  return `${lines.join('\n')}\n`;
}

function* printEntries({ revoked, tbs }: CertificateList): Generator<string> {
  if (revoked.length === 0) {
    yield '        No Revoked Certificates.';
    return;
  }
  yield '        Revoked Certificates:';
  const extensions = entryExtensions(tbs);
  for (const [index, { serial, revokedAt }] of revoked.entries()) {
    yield `            Serial Number: ${serialDecimal(serial)} (0x${magnitude(serial).toString('hex').toUpperCase()})`;
    yield `                Revocation Date: ${goTime(revokedAt)}`;
    const own = extensions[index] ?? [];
    if (own.length === 0) continue;
    yield '                CRL Entry Extensions:';
    for (const extension of own) yield* indented(extension, 20);
  }
}

function indented(extension: Parameters<typeof printedExtension>[0], indent: number): string[] {
  const { name, details } = printedExtension(extension);
  const space = ' '.repeat(indent);
  return [`${space}${name}`, ...details.map((detail) => `${space}    ${detail}`)];
}

/** 2 where there is anything that version 1 has no place for. */
export function crlVersion({ tbs }: CertificateList): 1 | 2 {
  // Behind the sequence's header, version 2 says so and version 1 begins with its algorithm.
  const headerSize = tbs[1]! < 0x80 ? 2 : 2 + (tbs[1]! & 0x7f);
  return tbs[headerSize] === 0x02 ? 2 : 1;
}

export function serialDecimal(serial: Buffer): string {
  return BigInt.asIntN(serial.length * 8, BigInt(`0x${serial.toString('hex')}`)).toString();
}

/** As Go prints a time: `2026-06-01 12:00:00 +0000 UTC`. */
function goTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`;
}
