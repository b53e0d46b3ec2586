import { parse } from 'yaml';
import { invalidRequest } from '../../faults.ts';

type Labels = Readonly<Record<string, string>>;

interface Requirement {
  key: string;
  operator: string;
  values: readonly string[];
}

/**
 * A label selector of Kubernetes (metav1.LabelSelector) in JSON or YAML, as a test of labels.
 *
 * @throws Fault `vault.request.invalid`
 */
export function namespaceSelector(text: string): (labels: Labels) => boolean {
  const { matchLabels = {}, matchExpressions = [], ...others } = read(text);
  const named = typeof matchLabels === 'object' && matchLabels !== null && !Array.isArray(matchLabels);
  if (Object.keys(others).length > 0 || !named || !Array.isArray(matchExpressions)) throw invalid();
  const requirements = [
    ...Object.entries(matchLabels).map(([key, value]) => ({ key, operator: 'In', values: [value] })),
    ...(matchExpressions as unknown[]),
  ].map(requirement);
  if (requirements.length === 0) throw invalid();
  return (labels) => requirements.every((each) => holds(each, labels));
}

function read(text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parse(text, { maxAliasCount: 0 });
  } catch (error) {
    throw invalid(error);
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) throw invalid();
  return parsed as Record<string, unknown>;
}

function requirement(given: unknown): Requirement {
  const { key, operator, values = [] } = (given ?? {}) as Partial<Requirement>;
  const texts = Array.isArray(values) && values.every((value) => typeof value === 'string');
  const counted = operator === 'In' || operator === 'NotIn';
  const known = counted || operator === 'Exists' || operator === 'DoesNotExist';
  if (typeof key !== 'string' || !texts || !known || counted !== values.length > 0) throw invalid();
  return { key, operator, values };
}

function holds({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    default:
      return (operator === 'Exists') === (value !== undefined);
  }
}

function invalid(cause?: unknown) {
  return invalidRequest('invalid "bound_service_account_namespace_selector" configured', cause);
}
