import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { certificatePem, readCertificates } from '../../src/x509/certificate.ts';
import { encodePem } from '../../src/x509/pem.ts';
import { printCertificateShort, printRequestShort } from '../../src/x509/print-short.ts';
import { printCertificate, printRequest } from '../../src/x509/print-text.ts';
import { readRequestPem } from '../../src/x509/request.ts';
import type { ConformanceSet } from './vectors.ts';

/** What a document is to be printed as, by the suffix of the file that holds it. */
type Prints = Readonly<Record<'pem' | 'short' | 'text', string>>;

/** certinfo's certificates and requests: `step certificate inspect` as text, in short, and the PEM again. */
export const inspect: ConformanceSet = {
  name: 'inspect',
  size: 36,
  exempt: {},
  cases: (folder) =>
    globSync('inspect/*.{pem,short,text}', { cwd: folder })
      .toSorted()
      .map((file) => ({ id: file, difference: () => difference(join(folder, file)) })),
};

function difference(file: string): string | undefined {
  const [, stem, suffix] = /^(.*)\.(pem|short|text)$/.exec(file)!;
  const printed = print(readFileSync(`${stem}.pem`, 'utf8'), stem!.endsWith('.csr'))[suffix as keyof Prints];
  const expected = readFileSync(file, 'utf8');
  // Around the PEM block some of the files hold the certificate in words.
  const [block = expected] = /^-----BEGIN [^]*-----$\n?/m.exec(expected) ?? [];
  return printed.trimEnd() === block.trimEnd() ? undefined : `is printed otherwise:\n${printed}`;
}

function print(pem: string, isRequest: boolean): Prints {
  if (isRequest) {
    const request = readRequestPem(pem);
    return {
      pem: encodePem('CERTIFICATE REQUEST', request.der),
      short: printRequestShort(request),
      text: printRequest(request),
    };
  }
  const certificate = readCertificates(pem)[0]!;
  return {
    pem: certificatePem(certificate),
    short: printCertificateShort(certificate),
    text: printCertificate(certificate),
  };
}
