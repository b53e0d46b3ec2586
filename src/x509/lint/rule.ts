import type { CrlSpecimen } from './crl-specimen.ts';
import { type Extended, extensionOf, type Specimen } from './specimen.ts';

export type RuleSource = 'RFC3279' | 'RFC5280' | 'RFC5480' | 'RFC5891' | 'RFC6962' | 'RFC8813' | 'Community';

/** One thing that a certificate or a CRL must or should keep to. */
export interface RuleFor<S> {
  /**
   * ZLint's name where it has the rule; it begins with the severity: e_ for an error, w_ for a warning, n_ for a notice.
   */
  name: string;
  source: RuleSource;
  /** What a certificate or a CRL has to be like, in a sentence. */
  says: string;
  /** Whether it is about ones like this; absent where it is about all. */
  appliesTo?(specimen: S): boolean;
  /** Whether this one breaks it. */
  isBrokenBy(specimen: S): boolean;
}

export type Rule = RuleFor<Specimen>;
export type CrlRule = RuleFor<CrlSpecimen>;

/** As ZLint prints them: what its names call a notice is `info`. */
export type Severity = 'error' | 'warn' | 'info';

const severities: Readonly<Record<string, Severity>> = { e: 'error', w: 'warn', n: 'info' };

export function severityOf({ name }: Pick<Rule, 'name'>): Severity {
  return severities[name[0]!]!;
}

/** A rule about those with a certain extension. */
export function aboutExtension<S extends Extended = Specimen>(
  oid: string,
  rule: Omit<RuleFor<S>, 'appliesTo'>,
): RuleFor<S> {
  return { ...rule, appliesTo: (specimen) => extensionOf(specimen, oid) !== undefined };
}

/** The rule that an extension is marked critical, or that it is not. */
export function criticality<S extends Extended = Specimen>(
  name: string,
  extension: readonly [oid: string, title: string],
  critical: boolean,
): RuleFor<S> {
  const [oid, title] = extension;
  return aboutExtension<S>(oid, {
    name,
    source: 'RFC5280',
    says: `The ${title} extension is ${critical ? '' : 'not '}marked critical`,
    isBrokenBy: (specimen) => extensionOf(specimen, oid)!.critical !== critical,
  });
}
