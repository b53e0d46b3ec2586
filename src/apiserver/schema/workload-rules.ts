import { type FieldError, goJson, invalid, required } from './field-error.ts';
import { orElse, podSpecErrors, withPodDefaults } from './pod-rules.ts';
import { isObject, type Json } from './structural.ts';

interface Selector {
  matchLabels?: Record<string, string>;
  matchExpressions?: { key: string; operator: string; values?: string[] }[];
}

/** A Deployment, ReplicaSet, DaemonSet or StatefulSet with what upstream fills into its spec. */
export function withWorkloadDefaults(kind: string, object: Json): Json {
  const given = isObject(object['spec']) ? object['spec'] : {};
  const spec = orElse(given, specDefaults[kind] ?? {});
  const template = isObject(spec['template']) ? spec['template'] : {};
  const podSpec = isObject(template['spec']) ? template['spec'] : {};
  return {
    ...object,
    spec: {
      ...spec,
      ...(strategies[kind]?.(spec) ?? {}),
      template: { ...template, spec: withPodDefaults(podSpec) },
    },
  };
}

const specDefaults: Readonly<Record<string, Json>> = {
  Deployment: { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 },
  ReplicaSet: { replicas: 1 },
  DaemonSet: { revisionHistoryLimit: 10 },
  StatefulSet: { replicas: 1, revisionHistoryLimit: 10, podManagementPolicy: 'OrderedReady' },
};

const strategies: Readonly<Record<string, (spec: Json) => Json>> = {
  Deployment: (spec) => ({ strategy: rolling(spec['strategy'], { maxSurge: '25%', maxUnavailable: '25%' }) }),
  DaemonSet: (spec) => ({
    updateStrategy: rolling(spec['updateStrategy'], { maxSurge: 0, maxUnavailable: 1 }),
  }),
  StatefulSet: (spec) => ({ updateStrategy: rolling(spec['updateStrategy'], { partition: 0 }) }),
};

function rolling(given: unknown, fallback: Json): Json {
  const strategy = orElse(given, { type: 'RollingUpdate' });
  if (!strategy['type']) strategy['type'] = 'RollingUpdate';
  if (strategy['type'] !== 'RollingUpdate') return strategy;
  return { ...strategy, rollingUpdate: orElse(strategy['rollingUpdate'], fallback) };
}

export function workloadErrors(object: Json, old?: Json): FieldError[] {
  const spec = (object['spec'] ?? {}) as Json;
  const selector = spec['selector'] as Selector | undefined;
  const template = (spec['template'] ?? {}) as {
    metadata?: { labels?: Record<string, string> };
    spec?: Json;
  };
  const labels = template.metadata?.labels ?? {};
  const errors: FieldError[] = [];
  if (!selector) errors.push(required('spec.selector'));
  else if (isEmpty(selector)) {
    errors.push(invalid('spec.selector', selector, 'empty selector is invalid for deployment'));
  } else if (!selects(selector, labels)) {
    errors.push(
      invalid('spec.template.metadata.labels', labels, '`selector` does not match template `labels`'),
    );
  }
  const replicas = spec['replicas'];
  if (typeof replicas === 'number' && replicas < 0) {
    errors.push(invalid('spec.replicas', replicas, 'must be greater than or equal to 0'));
  }
  errors.push(...podSpecErrors(template.spec ?? {}, 'spec.template.spec'));
  const before = (old?.['spec'] as Json | undefined)?.['selector'];
  if (old && goJson(before) !== goJson(selector)) {
    errors.push(invalid('spec.selector', selector, 'field is immutable'));
  }
  return errors;
}

function isEmpty({ matchLabels = {}, matchExpressions = [] }: Selector): boolean {
  return Object.keys(matchLabels).length === 0 && matchExpressions.length === 0;
}

function selects(
  { matchLabels = {}, matchExpressions = [] }: Selector,
  labels: Record<string, string>,
): boolean {
  return (
    Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = labels[key];
      if (operator === 'Exists') return value !== undefined;
      if (operator === 'DoesNotExist') return value === undefined;
      const among = value !== undefined && values.includes(value);
      return operator === 'In' ? among : !among;
    })
  );
}
