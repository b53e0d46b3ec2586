import { expect, test } from 'vitest';
import { type Authority, exampleNow, issue } from '../../test/support/example-chain.ts';
import { context, writeDer } from './der.ts';
import type { Extension } from './extension.ts';
import { oids } from './oid.ts';
import { judgePolicies, type PolicyInputs } from './policy-graph.ts';
import { verifyChain } from './verify.ts';

const policies = (...wanted: readonly string[]): Extension => ({
  oid: oids.certificatePolicies,
  critical: false,
  value: writeDer((writer) =>
    writer.sequence(() => {
      for (const oid of wanted) writer.sequence(() => writer.oid(oid));
    }),
  ),
});

const mappings = (...pairs: readonly (readonly [string, string])[]): Extension => ({
  oid: oids.policyMappings,
  critical: true,
  value: writeDer((writer) =>
    writer.sequence(() => {
      for (const [from, to] of pairs) writer.sequence(() => writer.oid(from).oid(to));
    }),
  ),
});

const constraints = (explicit: number): Extension => ({
  oid: oids.policyConstraints,
  critical: true,
  value: writeDer((writer) => writer.sequence(() => writer.smallInteger(explicit, context(0)))),
});

/** A path from extensions, the anchor's first, leaf first in the answer. */
async function pathOf(...extensions: readonly (readonly Extension[])[]) {
  const path: Authority[] = [];
  for (const [index, own] of extensions.entries()) {
    const issuer = path[0];
    const ca = index < extensions.length - 1;
    path.unshift(await issue({ name: `n${index}`, ca, ...(issuer ? { issuer } : {}), extensions: own }));
  }
  return path.map(({ certificate }) => certificate);
}

async function holding(inputs: PolicyInputs, ...extensions: readonly (readonly Extension[])[]) {
  const verdict = judgePolicies(await pathOf(...extensions), inputs);
  return verdict.valid ? [...verdict.policies].toSorted() : verdict.problem.code;
}

const [gold, silver, theirs] = ['1.3.6.1.1', '1.3.6.1.2', '1.3.6.1.3'] as const;

test('a policy holds where every certificate names it or any', async () => {
  expect(await holding({}, [], [policies(gold, silver)], [policies(gold)])).toEqual([gold]);
  expect(await holding({}, [], [policies(oids.anyPolicy)], [policies(gold)])).toEqual([gold]);
  expect(await holding({}, [], [policies(gold)], [])).toEqual([]);
  expect(await holding({ acceptable: [silver] }, [], [policies(gold)], [policies(gold)])).toEqual([]);
  const any = policies(oids.anyPolicy);
  expect(await holding({ acceptable: [silver] }, [], [any], [any])).toEqual([silver]);
  expect(await holding({ inhibitAnyPolicy: true }, [], [any], [policies(gold)])).toEqual([]);
});

test('where one is required by the caller, a CA or the anchor, a path without is refused', async () => {
  const explicit = { requireExplicitPolicy: true };
  expect(await holding(explicit, [], [policies(gold)], [])).toBe('x509.verify.policy');
  expect(await holding({}, [], [policies(gold), constraints(0)], [])).toBe('x509.verify.policy');
  expect(await holding({}, [constraints(0)], [policies(gold)], [policies(silver)])).toBe(
    'x509.verify.policy',
  );
  expect(await holding({}, [constraints(0)], [policies(gold)], [policies(gold)])).toEqual([gold]);
  expect(judgePolicies(await pathOf([constraints(0)], [], []), {}, false)).toMatchObject({ valid: true });
});

test("a policy is told by its name on the anchor's side of a mapping", async () => {
  const mapping = [policies(gold), mappings([gold, theirs])];
  expect(await holding({}, [], mapping, [policies(theirs)])).toEqual([gold]);
  expect(await holding({ acceptable: [theirs] }, [], mapping, [policies(theirs)])).toEqual([]);
  expect(await holding({ inhibitPolicyMapping: true }, [], mapping, [policies(theirs)])).toEqual([]);
  const any = [policies(oids.anyPolicy), mappings([gold, oids.anyPolicy])];
  expect(await holding({}, [], any, [policies(gold)])).toBe('x509.verify.policy');
});

test('policies mapped all to all at every level, which a tree of them cannot be built for', async () => {
  const names = Array.from({ length: 40 }, (_, index) => `1.3.6.1.4.1.${index}`);
  const web = mappings(...names.flatMap((from) => names.map((to) => [from, to] as const)));
  const level = [policies(...names), web];
  const path = await pathOf([], level, level, level, level, level, level, [policies(...names)]);
  const verdict = verifyChain(path[0]!, {
    roots: [path.at(-1)!],
    intermediates: path.slice(1),
    at: exampleNow,
    policies: { requireExplicitPolicy: true },
  });
  expect(verdict.valid && [...verdict.policies].toSorted()).toEqual(names.toSorted());
});
