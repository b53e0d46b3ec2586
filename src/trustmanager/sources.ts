import { Fault } from '../base/fault.ts';
import { labelMatcher } from '../kube/label-selector.ts';
import type { ConfigMap, KubeObject, Secret } from '../kube/resource.ts';
import type { BundleSource, SourceSelector } from './bundle.ts';
import type { TrustPool } from './trust-pool.ts';

/** What there is in the trust namespace. */
export interface SourceObjects {
  trustNamespace: string;
  configMaps: readonly ConfigMap[];
  secrets: readonly Secret[];
}

interface Entry {
  key: string;
  pem: string;
}

/** What a kind of object looks like as a source. */
interface SourceKind<T extends KubeObject> {
  kind: string;
  /** The entry of a key, and undefined where there is none. */
  entry(object: T, key: string): Entry | undefined;
  entries(object: T): Entry[];
  /** Why all keys of an object must not be read together; undefined where they may. */
  refusesAllKeys?(object: T): string | undefined;
}

const utf8 = (base64: string) => Buffer.from(base64, 'base64').toString('utf8');

const configMapSource: SourceKind<ConfigMap> = {
  kind: 'ConfigMap',
  entry({ data = {}, binaryData = {} }, key) {
    if (Object.hasOwn(data, key)) return { key, pem: data[key]! };
    return Object.hasOwn(binaryData, key) ? { key, pem: utf8(binaryData[key]!) } : undefined;
  },
  entries: ({ data = {}, binaryData = {} }) => [
    ...Object.entries(data).map(([key, pem]) => ({ key, pem })),
    ...Object.entries(binaryData).map(([key, base64]) => ({ key, pem: utf8(base64) })),
  ],
};

const secretSource: SourceKind<Secret> = {
  kind: 'Secret',
  entry: ({ data = {} }, key) => (Object.hasOwn(data, key) ? { key, pem: utf8(data[key]!) } : undefined),
  entries: ({ data = {} }) => Object.entries(data).map(([key, base64]) => ({ key, pem: utf8(base64) })),
  // All keys of such a Secret would include the private key.
  refusesAllKeys: ({ type, metadata: { namespace, name } }) =>
    type === 'kubernetes.io/tls'
      ? `includeAllKeys is not supported for TLS Secrets such as ${namespace}/${name}`
      : undefined,
};

/**
 * Puts the certificates of all `sources`, which `bundleErrors` has nothing against, into `pool`.
 *
 * @throws Fault `trustmanager.source.missing` where something is not there, `trustmanager.source.unfit` where it
 *   is there and cannot be used.
 */
export function gatherSources(
  pool: TrustPool,
  sources: readonly BundleSource[],
  objects: SourceObjects,
): void {
  for (const source of sources) {
    if (source.configMap) gather(pool, configMapSource, source.configMap, objects.configMaps, objects);
    else if (source.secret) gather(pool, secretSource, source.secret, objects.secrets, objects);
    else if (source.inLine) add(pool, source.inLine, 'inline source contains invalid PEM data');
    else if (source.useDefaultCAs) {
      throw missing(
        'no default package was specified when trust-manager was started; default CAs not available',
      );
    }
  }
  if (pool.size === 0) throw missing("couldn't find any valid certificates in bundle");
}

function gather<T extends KubeObject>(
  pool: TrustPool,
  source: SourceKind<T>,
  selector: SourceSelector,
  objects: readonly T[],
  { trustNamespace }: SourceObjects,
): void {
  const { kind } = source;
  for (const object of selected(kind, selector, objects, trustNamespace)) {
    const where = `${kind} ${trustNamespace}/${object.metadata.name}`;
    for (const { key, pem } of chosenEntries(source, selector, object, where)) {
      add(pool, pem, `invalid PEM data in ${where} at key ${JSON.stringify(key)}`);
    }
  }
}

function chosenEntries<T extends KubeObject>(
  source: SourceKind<T>,
  { key, includeAllKeys }: SourceSelector,
  object: T,
  where: string,
): Entry[] {
  if (key) {
    const entry = source.entry(object, key);
    if (!entry) throw missing(`no data found in ${where} at key ${JSON.stringify(key)}`);
    return [entry];
  }
  if (!includeAllKeys) return [];
  const refusal = source.refusesAllKeys?.(object);
  if (refusal) throw unfit(refusal);
  return source.entries(object);
}

function selected<T extends KubeObject>(
  kind: string,
  { name, selector }: SourceSelector,
  objects: readonly T[],
  trustNamespace: string,
): readonly T[] {
  if (name) {
    const object = objects.find(({ metadata }) => metadata.name === name);
    if (!object) {
      throw missing(
        `failed to get ${kind} ${trustNamespace}/${name}: ${kind} ${JSON.stringify(name)} not found`,
      );
    }
    return [object];
  }
  const matcher = selector && labelMatcher(selector);
  return matcher ? objects.filter(({ metadata }) => matcher.matches(metadata.labels)) : [];
}

function add(pool: TrustPool, pem: string, what: string): void {
  try {
    pool.add(pem);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw unfit(`${what}: ${error.message}`, error);
  }
}

/** Whether `object` of `kind` is among what `source` takes. */
export function sourceTakes(
  source: BundleSource,
  kind: 'ConfigMap' | 'Secret',
  { metadata }: KubeObject,
): boolean {
  const selector = kind === 'ConfigMap' ? source.configMap : source.secret;
  if (!selector) return false;
  if (selector.name) return selector.name === metadata.name;
  if (!selector.selector) return false;
  try {
    return labelMatcher(selector.selector).matches(metadata.labels);
  } catch {
    // A selector that cannot be read is told of where the Bundle is decided; it selects nothing.
    return false;
  }
}

function missing(message: string): Fault {
  return new Fault(message, { code: 'trustmanager.source.missing', blame: 'operator' });
}

function unfit(message: string, cause?: unknown): Fault {
  return new Fault(message, { code: 'trustmanager.source.unfit', blame: 'operator', cause });
}
