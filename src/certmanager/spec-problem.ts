import { parseDuration } from '../base/duration.ts';
import { describeError } from '../base/fault.ts';
import type { CertificateSpec } from './kinds.ts';
import { keySpecFor } from './private-key.ts';
import { requestTemplate } from './signing-request.ts';

/**
 * What about a spec no CA could fulfil, in words; undefined where there is nothing. Upstream's webhook refuses such
 * specs when they are written; without it they must not lead to an attempt an hour for ever.
 */
export function certificateProblem(spec: CertificateSpec): string | undefined {
  try {
    keySpecFor(spec);
  } catch (error) {
    return `Failed to generate private key: ${describeError(error)}`;
  }
  try {
    requestTemplate(spec);
  } catch (error) {
    return `Failed to generate CSR: ${describeError(error)}`;
  }
  for (const field of ['duration', 'renewBefore'] as const) {
    const text = spec[field];
    if (text === undefined) continue;
    try {
      if (parseDuration(text) <= 0) return `spec.${field} must be positive`;
    } catch (error) {
      return `spec.${field}: ${describeError(error)}`;
    }
  }
  return undefined;
}
