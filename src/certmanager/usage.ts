import { Fault } from '../base/fault.ts';
import type { KeyUsage } from '../x509/extension.ts';

/** Usages as a Certificate spells them, and what they are in X.509 (RFC 5280 sections 4.2.1.3 and 4.2.1.12). */
const keyUsages: ReadonlyMap<string, KeyUsage> = new Map([
  ['signing', 'digital signature'],
  ['digital signature', 'digital signature'],
  ['content commitment', 'content commitment'],
  ['key encipherment', 'key encipherment'],
  ['key agreement', 'key agreement'],
  ['data encipherment', 'data encipherment'],
  ['cert sign', 'cert sign'],
  ['crl sign', 'crl sign'],
  ['encipher only', 'encipher only'],
  ['decipher only', 'decipher only'],
]);

const extendedKeyUsages: ReadonlyMap<string, string> = new Map([
  ['any', '2.5.29.37.0'],
  ['server auth', '1.3.6.1.5.5.7.3.1'],
  ['client auth', '1.3.6.1.5.5.7.3.2'],
  ['code signing', '1.3.6.1.5.5.7.3.3'],
  ['email protection', '1.3.6.1.5.5.7.3.4'],
  ['s/mime', '1.3.6.1.5.5.7.3.4'],
  ['ipsec end system', '1.3.6.1.5.5.7.3.5'],
  ['ipsec tunnel', '1.3.6.1.5.5.7.3.6'],
  ['ipsec user', '1.3.6.1.5.5.7.3.7'],
  ['timestamping', '1.3.6.1.5.5.7.3.8'],
  ['ocsp signing', '1.3.6.1.5.5.7.3.9'],
  ['microsoft sgc', '1.3.6.1.4.1.311.10.3.3'],
  ['netscape sgc', '2.16.840.1.113730.4.1'],
]);

export interface Usages {
  keyUsages: readonly KeyUsage[];
  /** OIDs, in the order asked for. */
  extendedKeyUsages: readonly string[];
}

/**
 * What a Certificate's usages ask for: digital signature and key encipherment where it does not say, and cert sign
 * for a CA in any case.
 *
 * @throws Fault `certmanager.usage` naming the unknown ones
 */
export function usagesOf(names: readonly string[] = [], isCa = false): Usages {
  const asked = names.length > 0 ? names : ['digital signature', 'key encipherment'];
  const unknown = asked.filter((name) => !keyUsages.has(name) && !extendedKeyUsages.has(name));
  if (unknown.length > 0) {
    throw new Fault(`unknown key usages: [${unknown.join(' ')}]`, {
      code: 'certmanager.usage',
      blame: 'caller',
      fix: `choose from ${[...keyUsages.keys(), ...extendedKeyUsages.keys()].join(', ')}`,
    });
  }
  return {
    keyUsages: [
      ...new Set([
        ...(isCa ? (['cert sign'] as const) : []),
        ...asked.flatMap((name) => keyUsages.get(name) ?? []),
      ]),
    ],
    extendedKeyUsages: asked.flatMap((name) => extendedKeyUsages.get(name) ?? []),
  };
}
