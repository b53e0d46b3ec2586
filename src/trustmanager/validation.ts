import { describeError } from '../base/fault.ts';
import { type LabelSelector, labelMatcher } from '../kube/label-selector.ts';
import type { Bundle, BundleSource, SourceSelector, TargetTemplate } from './bundle.ts';

/** Prefixes of labels and annotations that belong to trust-manager itself. */
const reservedPrefixes = ['trust.cert-manager.io/', 'trust-manager.io/'] as const;

/** What is wrong with a Bundle's spec, each as Kubernetes prints a field error; empty where nothing is. */
export function bundleErrors({ metadata, spec }: Bundle): string[] {
  const { sources, target = {} } = spec;
  const errors = sources.flatMap((source, index) => sourceErrors(source, `spec.sources[${index}]`));
  if (!sources.some((source) => kindsSet(source).some((kind) => kind !== 'useDefaultCAs' || source[kind]))) {
    errors.push(forbidden('spec.sources', 'must define at least one source'));
  }
  const defaults = sources.filter(({ useDefaultCAs }) => useDefaultCAs !== undefined).length;
  if (defaults > 1) {
    errors.push(
      forbidden(
        'spec.sources',
        `must request default CAs either once or not at all but got ${defaults} requests`,
      ),
    );
  }
  for (const kind of ['configMap', 'secret'] as const) {
    const template = target[kind];
    if (!template) continue;
    for (const [index, source] of sources.entries()) {
      const { name, key } = source[kind] ?? {};
      if (name === metadata.name && key === template.key) {
        errors.push(
          forbidden(
            `spec.sources[${index}].${kind}.${name}.${key}`,
            'cannot define the same source as target',
          ),
        );
      }
    }
    errors.push(...metadataErrors(template, `spec.target.${kind}.metadata`));
  }
  return [...errors, ...selectorErrors(target.namespaceSelector, 'spec.target.namespaceSelector')];
}

function kindsSet(source: BundleSource) {
  const kinds = ['configMap', 'secret', 'inLine', 'useDefaultCAs'] as const;
  return kinds.filter((kind) => source[kind] !== undefined && source[kind] !== '');
}

function sourceErrors(source: BundleSource, path: string): string[] {
  const count = kindsSet(source).length;
  return [
    ...(source.configMap ? referenceErrors(source.configMap, 'configMap', path) : []),
    ...(source.secret ? referenceErrors(source.secret, 'secret', path) : []),
    ...(count === 1
      ? []
      : [
          forbidden(
            path,
            `must define exactly one source type for each item but found ${count} defined types`,
          ),
        ]),
  ];
}

function referenceErrors(reference: SourceSelector, kind: 'configMap' | 'secret', parent: string): string[] {
  const { name = '', selector, key = '', includeAllKeys = false } = reference;
  const path = `${parent}.${kind}`;
  const errors: string[] = [];
  if (!name && !selector) {
    errors.push(
      invalid(
        path,
        "name: ' ', selector: nil",
        'must validate one and only one schema (oneOf): [name, selector]. Found none valid',
      ),
    );
  }
  if (name && selector) {
    errors.push(
      invalid(
        path,
        `name: ${name}, selector: {}`,
        'must validate one and only one schema (oneOf): [name, selector]. Found both set',
      ),
    );
  }
  if (!key && !includeAllKeys) {
    errors.push(
      invalid(
        path,
        "key: ' ', includeAllKeys: false",
        `source ${kind} key must be defined when includeAllKeys is false`,
      ),
    );
  }
  if (key && includeAllKeys) {
    errors.push(
      invalid(
        path,
        `key: ${key}, includeAllKeys: true`,
        `source ${kind} key cannot be defined when includeAllKeys is true`,
      ),
    );
  }
  return [...errors, ...selectorErrors(selector, `${path}.selector`)];
}

function metadataErrors({ metadata = {} }: TargetTemplate, path: string): string[] {
  return (['annotations', 'labels'] as const).flatMap((field) =>
    Object.keys(metadata[field] ?? {}).flatMap((key) =>
      reservedPrefixes
        .filter((prefix) => key.startsWith(prefix))
        .map((prefix) => invalid(`${path}.${field}`, key, `${prefix}* ${field} are not allowed`)),
    ),
  );
}

function selectorErrors(selector: LabelSelector | undefined, path: string): string[] {
  if (!selector) return [];
  try {
    labelMatcher(selector);
    return [];
  } catch (error) {
    return [`${path}: Invalid value: ${describeError(error)}`];
  }
}

const invalid = (path: string, value: string, why: string) =>
  `${path}: Invalid value: ${JSON.stringify(value)}: ${why}`;

const forbidden = (path: string, why: string) => `${path}: Forbidden: ${why}`;
