import { expect, test } from 'vitest';
import { contradictions, type FinalState, type Operation } from './cluster-history.ts';

const final: FinalState = { issued: new Set(['a', 'b']), revoked: new Set(['b']), crlNumber: 3 };

function did(
  kind: Operation['kind'],
  subject: string,
  [start, end]: [number, number],
  rest: Partial<Operation> = {},
): Operation {
  return { kind, subject, start, end, outcome: 'done', ...rest };
}

const revoking = did('revoke', 'b', [2, 3]);
const problems = (...history: Operation[]) => contradictions([revoking, ...history], final, 2);
const refused = { outcome: 'refused' } as const;
const unknown = { outcome: 'unknown' } as const;

test('a history without fault has none', () => {
  const fine = problems(
    did('sign', 'a', [0, 1]),
    did('sign', 'b', [0, 1]),
    did('sign', '', [0, 1], unknown),
    did('read', 'b', [2.5, 2.6], { seen: 'good' }),
    did('read', 'b', [4, 5], { seen: 'revoked' }),
    ...[1, 2].map((n) => did('use', 't', [n, n + 1])),
    did('use', 't', [4, 5], refused),
    did('use', 'u', [1, 2]),
    did('use', 'u', [2, 3], unknown),
    did('use', 'u', [4, 5], refused),
    did('end-token', 'v', [5, 6]),
    did('use', 'v', [5.5, 7]),
    did('crl', '2', [0, 4], { seen: 'two' }),
    did('crl', '1', [1, 2], { seen: 'one' }),
    did('crl', '3', [5, 6], { seen: 'three' }),
  );
  expect(fine).toEqual([]);
});

test.each([
  ['serial a was given twice', [did('sign', 'a', [0, 1]), did('sign', 'a', [2, 3])]],
  ['certificate c was lost', [did('sign', 'c', [0, 1])]],
  ['the revocation of c was lost', [did('revoke', 'c', [0, 1])]],
  ['b was still good after its revocation', [did('read', 'b', [4, 5], { seen: 'good' })]],
  ['c was revoked by nobody', [did('read', 'c', [4, 5], { seen: 'revoked' })]],
  ['b was revoked by nobody', [did('read', 'b', [0, 1], { seen: 'revoked' })]],
  ['a token of 2 uses was used 3 times', [1, 1, 1].map(() => did('use', 't', [0, 1]))],
  ['refused after 1', [did('use', 't', [0, 1]), did('use', 't', [2, 3], refused)]],
  ['used after its revocation', [did('end-token', 't', [0, 1]), did('use', 't', [2, 3])]],
  [
    'CRL 1 was served after 2',
    [did('crl', '2', [0, 1], { seen: 'x' }), did('crl', '1', [2, 3], { seen: 'y' })],
  ],
  ['two CRLs of number 2', [did('crl', '2', [0, 1], { seen: 'x' }), did('crl', '2', [0, 1], { seen: 'y' })]],
  ['CRL 4 is gone', [did('crl', '4', [0, 1], { seen: 'x' })]],
] as [string, Operation[]][])('finds: %s', (problem, history) => {
  expect(problems(...history)).toEqual([expect.stringContaining(problem)]);
});

test('finds what is on the CRL for nothing', () => {
  expect(contradictions([], final, 2)).toEqual(['b is on the CRL for nothing']);
});
