import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readCertificates } from './certificate.ts';
import { printCertificateShort, printRequestShort } from './print-short.ts';
import { printCertificate, printRequest } from './print-text.ts';
import { readRequestPem } from './request.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../..');
const folder = resolve(repository, process.env.CAPSTAN_VECTORS ?? '../shared/vectors', 'inspect');
const vectors = globSync('*.pem', { cwd: folder }).toSorted();

describe('step prints the same', () => {
  if (vectors.length === 0) test.skip('12 vectors: there are none beside this checkout', () => {});

  test.each(vectors)('%s', (file) => {
    const read = (name: string) => readFileSync(join(folder, name), 'utf8');
    const pem = read(file);
    const [text, short] = file.includes('.csr.')
      ? [printRequest(readRequestPem(pem)), printRequestShort(readRequestPem(pem))]
      : readCertificates(pem).flatMap((one) => [printCertificate(one), printCertificateShort(one)]);
    expect(text).toBe(read(`${basename(file, '.pem')}.text`));
    expect(short).toBe(read(`${basename(file, '.pem')}.short`));
  });
});
