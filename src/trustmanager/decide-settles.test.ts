import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { appliedTarget } from '../../test/support/applied-target.ts';
import { issuance } from '../../test/support/certificates.ts';
import type { ConfigMap } from '../kube/resource.ts';
import type { Bundle } from './bundle.ts';
import { type BundleFacts, type BundlePlan, decideBundle, type Namespace } from './decide.ts';

const nowMs = Date.UTC(2026, 0, 2);
const issue = issuance('decide-settles');
const pems = (await Promise.all(['a', 'b', 'c'].map((commonName) => issue({ commonName })))).map(
  ({ pem }) => pem,
);

/** The facts once `plan` has been carried out. */
function after(facts: BundleFacts, plan: BundlePlan): BundleFacts {
  const targets = new Map(facts.targets.map((target) => [target.metadata.namespace!, target]));
  for (const released of plan.removals) {
    const namespace = released.metadata.namespace!;
    const left = appliedTarget(targets.get(namespace), released);
    if (Object.keys(left.data ?? {}).length === 0) targets.delete(namespace);
    else targets.set(namespace, left);
  }
  for (const write of plan.writes) {
    const namespace = write.metadata.namespace!;
    targets.set(namespace, appliedTarget(targets.get(namespace), write));
  }
  const { bundle } = facts;
  return {
    ...facts,
    targets: [...targets.values()],
    bundle: plan.status ? { ...bundle, status: plan.status } : bundle,
  };
}

const bundleOf = ({ pem, key, meshedOnly }: { pem: string; key: string; meshedOnly: boolean }): Bundle => ({
  apiVersion: 'trust.cert-manager.io/v1alpha1',
  kind: 'Bundle',
  metadata: { name: 'roots', uid: 'uid-1', generation: 1 },
  spec: {
    sources: [{ inLine: pem }],
    target: {
      configMap: { key },
      ...(meshedOnly ? { namespaceSelector: { matchLabels: { mesh: 'on' } } } : {}),
    },
  },
});

const spec = fc.record({
  pem: fc.constantFrom(...pems),
  key: fc.constantFrom('ca.crt', 'ca-bundle.crt'),
  meshedOnly: fc.boolean(),
});

const namespaces: fc.Arbitrary<Namespace[]> = fc
  .array(fc.record({ meshed: fc.boolean(), phase: fc.constantFrom('Active', 'Active', 'Terminating') }), {
    maxLength: 5,
  })
  .map((all) =>
    all.map(({ meshed, phase }, index) => ({
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: `ns${index}`, labels: meshed ? { mesh: 'on' } : {} },
      status: { phase },
    })),
  );

/** What someone else may do to a target. */
const meddle = fc.constantFrom<(target: ConfigMap) => ConfigMap>(
  (target) => target,
  (target) => ({ ...target, data: { ...target.data, mine: 'kept' } }),
  (target) => ({ ...target, data: {} }),
  (target) => ({ ...target, metadata: { ...target.metadata, annotations: {} } }),
);

test('whatever was before: one plan, carried out, leaves nothing to do, and harms nothing of others', () => {
  fc.assert(
    fc.property(
      spec,
      spec,
      namespaces,
      fc.array(meddle, { minLength: 5, maxLength: 5 }),
      (old, wanted, all, meddles) => {
        const base = { trustNamespace: 'linkerd', configMaps: [], secrets: [], namespaces: all };
        const first: BundleFacts = { ...base, bundle: bundleOf(old), targets: [] };
        const was = after(first, decideBundle(first, nowMs));
        const targets = was.targets.map((target, index) => meddles[index]!(target));
        const facts: BundleFacts = {
          ...was,
          targets,
          bundle: { ...bundleOf(wanted), status: was.bundle.status! },
        };

        const settled = after(facts, decideBundle(facts, nowMs));
        expect(decideBundle(settled, nowMs)).toEqual({ pem: wanted.pem.trim(), writes: [], removals: [] });

        const chosen = all.filter(
          ({ metadata, status }) =>
            status?.phase === 'Active' && (!wanted.meshedOnly || metadata.labels?.mesh),
        );
        for (const { metadata } of chosen) {
          const target = settled.targets.find((each) => each.metadata.namespace === metadata.name);
          const { mine, ...ours } = target?.data ?? {};
          expect(ours).toEqual({ [wanted.key]: wanted.pem.trim() });
          const before = targets.find((each) => each.metadata.namespace === metadata.name);
          expect(mine).toBe(before?.data?.mine);
        }
      },
    ),
  );
});
