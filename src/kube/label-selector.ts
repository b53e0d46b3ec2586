import { Fault } from '../base/fault.ts';

/** metav1.LabelSelector: every part must hold. Empty, it selects everything. */
export interface LabelSelector {
  matchLabels?: Readonly<Record<string, string>>;
  matchExpressions?: readonly LabelRequirement[];
}

export interface LabelRequirement {
  key: string;
  /** In, NotIn, Exists or DoesNotExist */
  operator: string;
  values?: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** A selector that has been read: it can no longer fail. */
export interface LabelMatcher {
  readonly matches: (labels: Labels | undefined) => boolean;
  /** Whether it selects everything. */
  readonly empty: boolean;
  /** As Kubernetes prints selectors: `a=b,c in (d,e),!f`, by key. */
  readonly text: string;
}

/** @throws Fault `kube.selector` for an operator or a number of values that selectors do not have. */
export function labelMatcher({ matchLabels = {}, matchExpressions = [] }: LabelSelector): LabelMatcher {
  const parts = [
    ...Object.entries(matchLabels).map(([key, value]) => ({
      key,
      text: `${key}=${value}`,
      holds: (labels: Labels) => labels[key] === value,
    })),
    ...matchExpressions.map(requirement),
  ].toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return {
    matches: (labels = {}) => parts.every(({ holds }) => holds(labels)),
    empty: parts.length === 0,
    text: parts.map(({ text }) => text).join(','),
  };
}

function requirement({ key, operator, values = [] }: LabelRequirement) {
  const has = (labels: Labels) => Object.hasOwn(labels, key);
  const among = (labels: Labels) => has(labels) && values.includes(labels[key]!);
  const listed = `(${values.toSorted().join(',')})`;
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0)
        throw malformed(`${key}: for 'in', 'notin' operators, values set can't be empty`);
      return operator === 'In'
        ? { key, text: `${key} in ${listed}`, holds: among }
        : { key, text: `${key} notin ${listed}`, holds: (labels: Labels) => !among(labels) };
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0)
        throw malformed(`${key}: values set must be empty for exists and does not exist`);
      return operator === 'Exists'
        ? { key, text: key, holds: has }
        : { key, text: `!${key}`, holds: (labels: Labels) => !has(labels) };
    default:
      throw malformed(`${JSON.stringify(operator)} is not a valid label selector operator`);
  }
}

function malformed(message: string): Fault {
  return new Fault(message, { code: 'kube.selector', blame: 'caller' });
}
