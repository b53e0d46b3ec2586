import { Fault } from '../../base/fault.ts';
import { altNameRules } from './alt-name-rules.ts';
import { crlRules } from './crl-rules.ts';
import { looksLikeCrl, readCrlSpecimen } from './crl-specimen.ts';
import { extensionRules } from './extension-rules.ts';
import { keyRules } from './key-rules.ts';
import { nameRules } from './name-rules.ts';
import { policyRules } from './policy-rules.ts';
import { type Rule, type RuleFor, type Severity, severityOf } from './rule.ts';
import { readSpecimen } from './specimen.ts';
import { structureRules } from './structure-rules.ts';

/** Every rule for certificates, in the order of their names. */
export const rules: readonly Rule[] = [
  ...structureRules,
  ...nameRules,
  ...keyRules,
  ...altNameRules,
  ...extensionRules,
  ...policyRules,
].toSorted((a, b) => (a.name < b.name ? -1 : 1));

/** As ZLint says it: `NA` where a rule is not about such a certificate or CRL, `fatal` where it cannot be told. */
export type LintResult = 'pass' | 'NA' | 'fatal' | Severity;

export interface Finding {
  rule: Pick<Rule, 'name' | 'source' | 'says'>;
  result: LintResult;
}

/**
 * Holds a certificate against every rule for private PKI: RFC 3279, 5280, 5480, 5891, 6962 and 8813, and what the
 * community agrees on. Rules for public CAs only are left out.
 *
 * @param der what need not be a certificate that `readCertificate` accepts
 * @throws Fault `x509.lint.unreadable` where not even its outline can be told
 */
export function lintCertificate(der: Buffer): Finding[] {
  const specimen = readSpecimen(der);
  return rules.map((rule) => ({ rule, result: judge(rule, specimen) }));
}

/**
 * Holds a CRL, complete or delta, against every rule for one: RFC 5280 section 5 and what the community agrees on.
 *
 * @param der what need not be a list that `readCrl` accepts
 * @throws Fault `x509.lint.unreadable` where not even its outline can be told
 */
export function lintCrl(der: Buffer): Finding[] {
  const specimen = readCrlSpecimen(der);
  return crlRules.map((rule) => ({ rule, result: judge(rule, specimen) }));
}

/** `lintCertificate` or `lintCrl`, whichever the outline calls for. */
export function lint(der: Buffer): Finding[] {
  return looksLikeCrl(der) ? lintCrl(der) : lintCertificate(der);
}

function judge<S>(rule: RuleFor<S>, specimen: S): LintResult {
  try {
    if (rule.appliesTo && !rule.appliesTo(specimen)) return 'NA';
    return rule.isBrokenBy(specimen) ? severityOf(rule) : 'pass';
  } catch (error) {
    if (error instanceof Fault) return 'fatal';
    throw error;
  }
}

/** The findings that somebody has to look at. */
export function defects(findings: readonly Finding[]): Finding[] {
  return findings.filter(({ result }) => result !== 'pass' && result !== 'NA');
}
