import { tags } from '../der-tag.ts';
import { oids } from '../oid.ts';
import { childrenOf, type Node } from './node.ts';
import { aboutExtension, criticality, type Rule } from './rule.ts';
import { attributeText, oidOf, type Specimen, sequenceOf } from './specimen.ts';

interface Policy {
  oid: string;
  qualifiers: readonly { oid: string; value: Node | undefined }[];
}

function policies(specimen: Specimen): Policy[] {
  return (sequenceOf(specimen, oids.certificatePolicies) ?? []).map((information) => {
    const [oid, list] = childrenOf(information);
    const qualifiers = list ? childrenOf(list).map(childrenOf) : [];
    return {
      oid: oidOf(oid),
      qualifiers: qualifiers.map(([id, value]) => ({ oid: oidOf(id), value })),
    };
  });
}

/** The parts of every user notice: a reference is a sequence, a text is of a string type. */
function noticeParts(specimen: Specimen): Node[] {
  return policies(specimen)
    .flatMap(({ qualifiers }) => qualifiers)
    .filter(({ oid }) => oid === oids.userNoticeQualifier)
    .flatMap(({ value }) => (value ? childrenOf(value) : []));
}

const isReference = ({ tag }: Node) => tag === tags.sequence;
const texts = (specimen: Specimen) => noticeParts(specimen).filter((part) => !isReference(part));

/** C0 and C1 controls; text in UTF-8 only, since the others are refused as such. */
function hasControl(text: Node): boolean {
  if (text.tag !== tags.utf8String) return false;
  return Array.from(attributeText(text)).some((character) => {
    const code = character.codePointAt(0)!;
    return code < 0x20 || (code >= 0x7f && code <= 0x9f);
  });
}

const isNormal = (text: string) => text === text.normalize('NFC');

function policyRule(name: string, says: string, isBrokenBy: Rule['isBrokenBy']): Rule {
  return aboutExtension(oids.certificatePolicies, { name, source: 'RFC5280', says, isBrokenBy });
}

/** Each pair of an issuer's policy and the subject's that is as good. */
function mappings(specimen: Specimen): string[][] {
  return (sequenceOf(specimen, oids.policyMappings) ?? []).map((pair) => childrenOf(pair).map(oidOf));
}

/** Rules about policies (RFC 5280 sections 4.2.1.4, 4.2.1.5 and 4.2.1.11). */
export const policyRules: readonly Rule[] = [
  policyRule('e_ext_cert_policy_duplicate', 'Each policy stands there once', (specimen) => {
    const all = policies(specimen).map(({ oid }) => oid);
    return new Set(all).size < all.length;
  }),
  policyRule('w_ext_cert_policy_contains_noticeref', 'User notices have no references', (specimen) =>
    noticeParts(specimen).some(isReference),
  ),
  policyRule(
    'e_ext_cert_policy_disallowed_any_policy_qualifier',
    'anyPolicy is qualified by a statement of practice or a notice only',
    (specimen) =>
      policies(specimen)
        .filter(({ oid }) => oid === oids.anyPolicy)
        .some(({ qualifiers }) =>
          qualifiers.some(({ oid }) => oid !== oids.cpsQualifier && oid !== oids.userNoticeQualifier),
        ),
  ),
  policyRule(
    'e_ext_cert_policy_explicit_text_ia5_string',
    'Texts of notices are not IA5Strings',
    (specimen) => texts(specimen).some(({ tag }) => tag === tags.ia5String),
  ),
  policyRule('w_ext_cert_policy_explicit_text_not_utf8', 'Texts of notices are UTF8Strings', (specimen) =>
    texts(specimen).some(({ tag }) => tag !== tags.utf8String),
  ),
  policyRule('w_ext_cert_policy_explicit_text_not_nfc', 'Texts of notices are normalised', (specimen) =>
    texts(specimen).some((text) => !isNormal(attributeText(text))),
  ),
  policyRule(
    'w_ext_cert_policy_explicit_text_includes_control',
    'Texts of notices have no control characters',
    (specimen) => texts(specimen).some(hasControl),
  ),
  policyRule(
    'e_ext_cert_policy_explicit_text_too_long',
    'Texts of notices have 200 characters at most',
    (specimen) => texts(specimen).some((text) => Array.from(attributeText(text)).length > 200),
  ),
  criticality('w_ext_policy_map_not_critical', [oids.policyMappings, 'policy mappings'], true),
  aboutExtension(oids.policyMappings, {
    name: 'e_ext_policy_map_any_policy',
    source: 'RFC5280',
    says: 'anyPolicy is not mapped',
    isBrokenBy: (specimen) => mappings(specimen).flat().includes(oids.anyPolicy),
  }),
  aboutExtension(oids.policyMappings, {
    name: 'w_ext_policy_map_not_in_cert_policy',
    source: 'RFC5280',
    says: 'Policies that are mapped are among the policies',
    isBrokenBy(specimen) {
      const known = policies(specimen).map(({ oid }) => oid);
      return mappings(specimen).some(([mapped]) => !known.includes(mapped ?? ''));
    },
  }),
  criticality('e_ext_policy_constraints_not_critical', [oids.policyConstraints, 'policy constraints'], true),
  aboutExtension(oids.policyConstraints, {
    name: 'e_ext_policy_constraints_empty',
    source: 'RFC5280',
    says: 'Policy constraints constrain something',
    isBrokenBy: (specimen) => sequenceOf(specimen, oids.policyConstraints)!.length === 0,
  }),
];
