import type { Inventory } from '../inventory/inventory.ts';
import { capstanTrustFindings } from './capstan-trust.ts';
import type { Finding } from './finding.ts';
import { linkerdIdentityFindings } from './linkerd-identity.ts';

/** What was found, and what it comes to. */
export interface CheckReport {
  findings: readonly Finding[];
  /** Nothing worse than warnings. */
  success: boolean;
  warning: boolean;
}

/** Everything there is to say about `inventory` at the time `nowMs`. */
export function checkReport(inventory: Inventory, nowMs: number): CheckReport {
  const findings = [...linkerdIdentityFindings(inventory, nowMs), ...capstanTrustFindings(inventory, nowMs)];
  return {
    findings,
    success: findings.every(({ result }) => result !== 'error'),
    warning: findings.some(({ result }) => result === 'warning'),
  };
}
