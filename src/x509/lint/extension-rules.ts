import { context, contextConstructed, tags } from '../der-tag.ts';
import { oids } from '../oid.ts';
import { hostOf, isHostName } from './alt-name-rules.ts';
import { childrenOf, type Node } from './node.ts';
import { aboutExtension, criticality, type Rule } from './rule.ts';
import {
  extensionOf,
  isCa,
  isSelfIssued,
  isSubscriber,
  oidOf,
  type Specimen,
  sequenceOf,
  textOfKind,
  usagesOf,
} from './specimen.ts';

const lists: readonly string[] = [
  oids.certificatePolicies,
  oids.policyMappings,
  oids.subjectAltName,
  oids.issuerAltName,
  oids.subjectDirectoryAttributes,
  oids.extendedKeyUsage,
  oids.crlDistributionPoints,
  oids.authorityInfoAccess,
  oids.subjectInfoAccess,
  oids.freshestCrl,
];

/** Rules about extensions as such, and about which of them are critical. */
const formRules: readonly Rule[] = [
  {
    name: 'e_ext_duplicate_extension',
    source: 'RFC5280',
    says: 'Each extension stands there once',
    isBrokenBy: ({ extensions }) => new Set(extensions.map(({ oid }) => oid)).size < extensions.length,
  },
  {
    name: 'e_cert_ext_invalid_der',
    source: 'RFC5280',
    says: 'Extensions that are not critical do not spell it out',
    isBrokenBy: ({ extensions }) => extensions.some(({ spelledOut }) => spelledOut),
  },
  {
    name: 'e_ext_cannot_be_empty_sequence',
    source: 'RFC5280',
    says: 'Extensions that are lists are not empty',
    isBrokenBy: (specimen) => lists.some((oid) => sequenceOf(specimen, oid)?.length === 0),
  },
  criticality('e_ext_aia_marked_critical', [oids.authorityInfoAccess, 'authority information access'], false),
  criticality(
    'e_subject_info_access_marked_critical',
    [oids.subjectInfoAccess, 'subject information access'],
    false,
  ),
  criticality(
    'w_ext_crl_distribution_marked_critical',
    [oids.crlDistributionPoints, 'CRL distribution points'],
    false,
  ),
  criticality('e_ext_freshest_crl_marked_critical', [oids.freshestCrl, 'freshest CRL'], false),
  criticality(
    'e_ext_subject_directory_attr_critical',
    [oids.subjectDirectoryAttributes, 'subject directory attributes'],
    false,
  ),
  criticality('e_inhibit_any_policy_not_critical', [oids.inhibitAnyPolicy, 'inhibit anyPolicy'], true),
];

/** Whether the authority is named by its key (RFC 5280 section 4.2.1.1). */
const hasAuthorityKeyId = (specimen: Specimen) =>
  (sequenceOf(specimen, oids.authorityKeyIdentifier) ?? []).some(({ tag }) => tag === context(0));

const identifierRules: readonly Rule[] = [
  criticality(
    'e_ext_authority_key_identifier_critical',
    [oids.authorityKeyIdentifier, 'authority key identifier'],
    false,
  ),
  criticality(
    'e_ext_subject_key_identifier_critical',
    [oids.subjectKeyIdentifier, 'subject key identifier'],
    false,
  ),
  {
    name: 'e_ext_authority_key_identifier_no_key_identifier',
    source: 'RFC5280',
    says: 'All but self-signed CAs name the key of their issuer',
    isBrokenBy: (specimen) => !hasAuthorityKeyId(specimen) && !(isCa(specimen) && isSelfIssued(specimen)),
  },
  {
    name: 'e_ext_subject_key_identifier_missing_ca',
    source: 'RFC5280',
    says: 'A CA has an identifier of its key',
    appliesTo: isCa,
    isBrokenBy: (specimen) => !extensionOf(specimen, oids.subjectKeyIdentifier),
  },
  {
    name: 'w_ext_subject_key_identifier_missing_sub_cert',
    source: 'RFC5280',
    says: 'A leaf has an identifier of its key',
    appliesTo: isSubscriber,
    isBrokenBy: (specimen) => !extensionOf(specimen, oids.subjectKeyIdentifier),
  },
];

const basics = (specimen: Specimen) => sequenceOf(specimen, oids.basicConstraints)!;
const pathLengthOf = (specimen: Specimen) => basics(specimen).find(({ tag }) => tag === tags.integer);

const basicRules: readonly Rule[] = [
  {
    ...criticality('e_basic_constraints_not_critical', [oids.basicConstraints, 'basic constraints'], true),
    says: 'The basic constraints of a CA are critical',
    appliesTo: isCa,
  },
  aboutExtension(oids.basicConstraints, {
    name: 'e_basic_constr_invalid_der',
    source: 'RFC5280',
    says: 'Basic constraints of what is no CA do not spell it out',
    isBrokenBy: (specimen) =>
      basics(specimen).some(({ tag, content }) => tag === tags.boolean && content[0] === 0),
  }),
  aboutExtension(oids.basicConstraints, {
    name: 'e_path_len_constraint_improperly_included',
    source: 'RFC5280',
    says: 'Only CAs that sign certificates have a path length',
    isBrokenBy: (specimen) =>
      pathLengthOf(specimen) !== undefined &&
      !(isCa(specimen) && (usagesOf(specimen) ?? []).includes('cert sign')),
  }),
  aboutExtension(oids.basicConstraints, {
    name: 'e_path_len_constraint_zero_or_less',
    source: 'RFC5280',
    says: 'A path length is not negative',
    isBrokenBy: (specimen) => (pathLengthOf(specimen)?.content[0] ?? 0) >= 0x80,
  }),
];

interface AccessPoint {
  method: string;
  url: string | undefined;
}

function accessPoints(specimen: Specimen): AccessPoint[] {
  return sequenceOf(specimen, oids.authorityInfoAccess)!.map((description) => {
    const [method, location] = childrenOf(description);
    return { method: oidOf(method), url: location && textOfKind([location], 'uri')[0] };
  });
}

const isFetchable = (url: string | undefined) => /^(?:http|ldap):\/\//i.test(url ?? '');

/** The parts of each distribution point by the numbers of their tags. */
function distributionPoints(specimen: Specimen): Node[][] {
  return sequenceOf(specimen, oids.crlDistributionPoints)!.map(childrenOf);
}

const part = (point: readonly Node[], number: number) =>
  point.find(({ tag }) => tag === contextConstructed(number) || tag === context(number));

function urlsOf(point: readonly Node[]): string[] {
  const fullName =
    part(point, 0) && childrenOf(part(point, 0)!).find(({ tag }) => tag === contextConstructed(0));
  return fullName ? textOfKind(childrenOf(fullName), 'uri') : [];
}

const pointerRules: readonly Rule[] = [
  {
    name: 'w_ext_aia_access_location_missing',
    source: 'RFC5280',
    says: 'The certificate of the issuer can be fetched by HTTP or LDAP',
    appliesTo: (specimen) =>
      extensionOf(specimen, oids.authorityInfoAccess) !== undefined &&
      accessPoints(specimen).some(({ method }) => method === oids.caIssuers),
    isBrokenBy: (specimen) =>
      !accessPoints(specimen).some(({ method, url }) => method === oids.caIssuers && isFetchable(url)),
  },
  aboutExtension(oids.crlDistributionPoints, {
    name: 'w_distribution_point_missing_ldap_or_uri',
    source: 'RFC5280',
    says: 'The revocation list can be fetched by HTTP or LDAP',
    isBrokenBy: (specimen) => !distributionPoints(specimen).flatMap(urlsOf).some(isFetchable),
  }),
  aboutExtension(oids.crlDistributionPoints, {
    name: 'e_distribution_point_incomplete',
    source: 'RFC5280',
    says: 'A distribution point says where, or whose list it is',
    isBrokenBy: (specimen) =>
      distributionPoints(specimen).some((point) => part(point, 1) && !part(point, 0) && !part(point, 2)),
  }),
];

/** Every subtree of the name constraints, permitted and excluded. */
function subtrees(specimen: Specimen): Node[][] {
  return sequenceOf(specimen, oids.nameConstraints)!.flatMap(childrenOf).map(childrenOf);
}

const bases = (specimen: Specimen) => subtrees(specimen).flatMap(([base]) => base ?? []);
const onKind = (number: number) => (specimen: Specimen) =>
  bases(specimen).some(({ tag }) => (tag & 0x1f) === number);

/** The host of a constraint on URIs, a dot before it for all below it. */
const isConstraintHost = (constraint: string) =>
  hostOf(constraint) === undefined &&
  constraint.includes('.') &&
  /\D/.test(constraint.replaceAll('.', '')) &&
  isHostName(constraint.replace(/^\./, ''));

function constraintRule(name: string, says: string, isBrokenBy: Rule['isBrokenBy']): Rule {
  return aboutExtension(oids.nameConstraints, { name, source: 'RFC5280', says, isBrokenBy });
}

const constraintRules: readonly Rule[] = [
  criticality('e_ext_name_constraints_not_critical', [oids.nameConstraints, 'name constraints'], true),
  constraintRule(
    'e_ext_name_constraints_not_in_ca',
    'Only CAs constrain names',
    (specimen) => !isCa(specimen),
  ),
  constraintRule(
    'e_name_constraint_empty',
    'Name constraints permit or exclude something',
    (specimen) => subtrees(specimen).length === 0,
  ),
  constraintRule('e_name_constraint_minimum_non_zero', 'Name constraints have no minimum', (specimen) =>
    subtrees(specimen).some((subtree) =>
      subtree.some(
        ({ tag, content }, at) => at > 0 && tag === context(0) && content.some((byte) => byte !== 0),
      ),
    ),
  ),
  constraintRule('e_name_constraint_maximum_not_absent', 'Name constraints have no maximum', (specimen) =>
    subtrees(specimen).some((subtree) => subtree.some(({ tag }, at) => at > 0 && tag === context(1))),
  ),
  constraintRule('e_name_constraint_not_fqdn', 'Constraints on URIs are names of hosts', (specimen) =>
    textOfKind(bases(specimen), 'uri').some((constraint) => !isConstraintHost(constraint)),
  ),
  constraintRule('w_name_constraint_on_edi_party_name', 'EDI party names are not constrained', onKind(5)),
  constraintRule(
    'w_name_constraint_on_registered_id',
    'Registered identifiers are not constrained',
    onKind(8),
  ),
  constraintRule('w_name_constraint_on_x400', 'X.400 addresses are not constrained', onKind(3)),
];

/** Rules about extensions other than names, key usages and policies. */
export const extensionRules: readonly Rule[] = [
  ...formRules,
  ...identifierRules,
  ...basicRules,
  ...pointerRules,
  ...constraintRules,
];
