import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { broken, kept } from '../../../test/support/lint-vectors.ts';
import { decodePem } from '../pem.ts';
import { lintCertificate } from './lint.ts';
import { severityOf } from './rule.ts';

const repository = join(dirname(fileURLToPath(import.meta.url)), '../../..');
const folder = resolve(repository, process.env.CAPSTAN_VECTORS ?? '../shared/vectors', 'lint');

/** Both ask for the list of public suffixes, under which no mesh has its names. */
const withoutRule = ['n_san_iana_pub_suffix_empty', 'w_ian_iana_pub_suffix_empty'];

function results(file: string): Map<string, string> {
  const blocks = decodePem(readFileSync(join(folder, file), 'latin1'));
  const certificate = blocks.find(({ label }) => label === 'CERTIFICATE')!;
  return new Map(lintCertificate(certificate.bytes).map(({ rule, result }) => [rule.name, result]));
}

describe('ZLint’s certificates', () => {
  if (!existsSync(folder)) {
    const count = Object.keys({ ...broken, ...kept }).length;
    test.skip(`${count} vectors: there are none beside this checkout`, () => {});
    return;
  }

  const found = Object.entries(broken).flatMap(([file, names]) =>
    names.filter((name) => !withoutRule.includes(name)).map((name) => [file, name] as const),
  );

  test('nearly all of their rules are here', () => {
    expect(found.length).toBeGreaterThanOrEqual(104);
    expect(Object.values(broken).flat().length - found.length).toBe(3);
  });

  test.each(found)('%s breaks %s', (file, name) => {
    expect(results(file).get(name)).toBe(severityOf({ name }));
  });

  test.each(Object.entries(kept))('%s keeps to %j', (file, names) => {
    const all = results(file);
    for (const name of names)
      expect([name, all.get(name)]).toEqual([name, expect.stringMatching(/^(?:pass|NA)$/)]);
  });
});
