import * as fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { seededEntropy } from '../base/entropy.ts';
import { buildCertificate, type Certificate, isSignedBy } from '../x509/certificate.ts';
import { authorityKeyIdentifier, basicConstraints, subjectKeyIdentifier } from '../x509/extension.ts';
import { generateKey, keyIdentifier, type PrivateKey } from '../x509/key.ts';
import { nameOf } from '../x509/name.ts';
import { signerOf } from '../x509/signature.ts';
import { chainsAmong } from './chains.ts';
import { type Issuer, issuerUses } from './issuer.ts';

const entropy = seededEntropy('chains');
const keys = Array.from({ length: 5 }, () => generateKey({ type: 'ec', curve: 'P-256' }, entropy));
let serial = 1;

interface Ca {
  name: string;
  key: PrivateKey;
}

/** With identifiers of keys as issued here, or without, as some roots are. */
function certify(subject: Ca, by: Ca, identified = true): Promise<Certificate> {
  const extensions = [
    basicConstraints({ ca: true }),
    ...(identified
      ? [
          subjectKeyIdentifier(keyIdentifier(subject.key.publicKey)),
          authorityKeyIdentifier(keyIdentifier(by.key.publicKey)),
        ]
      : []),
  ];
  return buildCertificate(
    {
      serial: Buffer.of(1, serial >> 8, serial++ & 0xff),
      issuer: nameOf({ commonName: by.name }),
      subject: nameOf({ commonName: subject.name }),
      notBefore: 0,
      notAfter: 1_000,
      publicKey: subject.key.publicKey,
      extensions,
    },
    signerOf(by.key),
  );
}

function issuer(id: string, certificate: Certificate, manualChain: readonly string[] = []): Issuer {
  return {
    id,
    name: '',
    keyId: undefined,
    certificate,
    leafNotAfterBehavior: 'err',
    usage: issuerUses,
    revocationAlgorithm: '',
    manualChain,
    urls: undefined,
    revokedAt: undefined,
    revision: 1,
  };
}

const [a, b, c] = ['a', 'b', 'c'].map((name, index) => ({ name, key: keys[index]! })) as [Ca, Ca, Ca];
const ids = (known: readonly Issuer[], of: Issuer) =>
  chainsAmong(known)(of).map((certificate) => known.find((one) => one.certificate === certificate)!.id);

test('a chain climbs to the root, whatever order issuers came in', async () => {
  const root = issuer('1', await certify(a, a));
  const middle = issuer('2', await certify(b, a));
  const low = issuer('3', await certify(c, b));
  expect(ids([low, root, middle], low)).toEqual(['3', '2', '1']);
  expect(ids([low, root], low)).toEqual(['3']);
  expect(ids([low, root, middle], root)).toEqual(['1']);
});

test('who was signed by several has all of them above it: roots first, and their chains', async () => {
  const oldRoot = issuer('1', await certify(a, a));
  const newRoot = issuer('2', await certify(b, b));
  const crossed = issuer('3', await certify(b, a));
  const low = issuer('4', await certify(c, b));
  expect(ids([oldRoot, newRoot, crossed, low], low)).toEqual(['4', '2', '3', '1']);
  expect(ids([oldRoot, newRoot, crossed, low], newRoot)).toEqual(['2', '3', '1']);
});

test('a chain that is said by hand is the chain, also of what stands below', async () => {
  const root = issuer('1', await certify(a, a));
  const other = issuer('2', await certify(b, b));
  const middle = issuer('3', await certify(c, a), ['3', '2', 'gone']);
  const low = issuer('4', await certify({ name: 'd', key: keys[3]! }, c));
  expect(ids([root, other, middle, low], middle)).toEqual(['3', '2']);
  expect(ids([root, other, middle, low], low)).toEqual(['4', '3', '2']);
});

test('CAs that signed each other end', async () => {
  const one = issuer('1', await certify(a, b));
  const two = issuer('2', await certify(b, a));
  expect(ids([one, two], one)).toEqual(['1', '2']);
  expect(ids([one, two], two)).toEqual(['2', '1']);
});

test('of many namesakes only those are looked at whose key it can be', async () => {
  const fresh = () => generateKey({ type: 'ec', curve: 'P-256' }, entropy);
  const roots = Array.from({ length: 300 }, () => ({ name: 'root', key: fresh() }));
  let looked = 0;
  const known = await Promise.all(
    roots.map(async (root, index) =>
      issuer(
        String(index),
        counting(await certify(root, root), () => looked++),
      ),
    ),
  );
  const low = issuer('low', await certify(c, roots[150]!));
  expect(ids([...known, low], low)).toEqual(['low', '150']);
  expect(looked).toBeLessThan(4);
});

/** Tells each time that the key in `certificate` is asked for, which a signature is verified with. */
function counting(certificate: Certificate, onKey: () => void): Certificate {
  return new Proxy(certificate, {
    get(target, name) {
      if (name === 'publicKey') onKey();
      return Reflect.get(target, name, target) as unknown;
    },
  });
}

let all: Certificate[];
beforeAll(async () => {
  const cas = ['p', 'q'].flatMap((name) => keys.slice(0, 3).map((key) => ({ name, key })));
  const pairs = cas.flatMap((subject) => cas.map((by) => [subject, by] as const));
  all = await Promise.all(pairs.map(([subject, by], index) => certify(subject, by, index % 3 > 0)));
});

/** The same, slowly: every certificate held against every other. */
function climbed(first: Certificate, known: readonly Certificate[]): Set<Certificate> {
  const reached = new Set([first]);
  for (const one of reached) {
    for (const above of known) {
      if (above.subject.der.equals(one.issuer.der) && isSignedBy(one, above)) reached.add(above);
    }
  }
  return reached;
}

test('a chain holds what can be climbed to, once, each after one that it signed', () => {
  const some = fc.uniqueArray(fc.nat(35), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(some, (chosen) => {
      const known = chosen.map((index) => issuer(String(index).padStart(2, '0'), all[index]!));
      const chainOf = chainsAmong(known);
      for (const one of known) {
        const chain = chainOf(one);
        expect(chain[0]).toBe(one.certificate);
        expect(new Set(chain)).toEqual(
          climbed(
            one.certificate,
            known.map(({ certificate }) => certificate),
          ),
        );
        expect(new Set(chain).size).toBe(chain.length);
        for (const [index, above] of chain.entries()) {
          if (index > 0) expect(chain.slice(0, index).some((below) => isSignedBy(below, above))).toBe(true);
        }
      }
    }),
    { numRuns: 50 },
  );
});
