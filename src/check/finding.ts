/** How much a failed check weighs: `fatal` keeps the rest of its category from being looked at. */
export type Severity = 'fatal' | 'error' | 'warning';

/** One thing that is looked at, and what to call it. */
export interface Check {
  /** Stable; for the checks of `linkerd check` the anchor of its hint. */
  id: string;
  description: string;
  severity: Severity;
  /** What is wrong; undefined where nothing is. */
  problem: () => string | undefined;
}

/** What came of a check. */
export interface Finding {
  category: string;
  id: string;
  description: string;
  severity: Severity;
  result: 'success' | 'warning' | 'error';
  error?: string;
  /** Address of what to do about it. */
  hint?: string;
}

/** Looks at `checks` in order, up to the first that is fatal and fails. */
export function findingsOf(category: string, checks: readonly Check[], hintBase?: string): Finding[] {
  const findings: Finding[] = [];
  for (const { id, description, severity, problem } of checks) {
    const error = problem();
    findings.push({
      category,
      id,
      description,
      severity,
      result: error === undefined ? 'success' : severity === 'warning' ? 'warning' : 'error',
      ...(error === undefined ? {} : { error }),
      ...(error === undefined || hintBase === undefined ? {} : { hint: `${hintBase}${id}` }),
    });
    if (error !== undefined && severity === 'fatal') break;
  }
  return findings;
}
