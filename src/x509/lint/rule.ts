import { extensionOf, type Specimen } from './specimen.ts';

export type RuleSource = 'RFC3279' | 'RFC5280' | 'RFC5480' | 'RFC5891' | 'RFC6962' | 'RFC8813' | 'Community';

/** One thing that a certificate must or should keep to. */
export interface Rule {
  /** ZLint's name, which begins with the severity: e_ for an error, w_ for a warning, n_ for a notice. */
  name: string;
  source: RuleSource;
  /** What a certificate has to be like, in a sentence. */
  says: string;
  /** Whether it is about certificates like this one; absent where it is about all. */
  appliesTo?(specimen: Specimen): boolean;
  /** Whether this certificate breaks it. */
  isBrokenBy(specimen: Specimen): boolean;
}

/** As ZLint prints them: what its names call a notice is `info`. */
export type Severity = 'error' | 'warn' | 'info';

const severities: Readonly<Record<string, Severity>> = { e: 'error', w: 'warn', n: 'info' };

export function severityOf({ name }: Pick<Rule, 'name'>): Severity {
  return severities[name[0]!]!;
}

/** A rule about certificates with a certain extension. */
export function aboutExtension(oid: string, rule: Omit<Rule, 'appliesTo'>): Rule {
  return { ...rule, appliesTo: (specimen) => extensionOf(specimen, oid) !== undefined };
}

/** The rule that an extension is marked critical, or that it is not. */
export function criticality(
  name: string,
  extension: readonly [oid: string, title: string],
  critical: boolean,
): Rule {
  const [oid, title] = extension;
  return aboutExtension(oid, {
    name,
    source: 'RFC5280',
    says: `The ${title} extension is ${critical ? '' : 'not '}marked critical`,
    isBrokenBy: (specimen) => extensionOf(specimen, oid)!.critical !== critical,
  });
}
