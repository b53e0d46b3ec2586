// node tools/kube-kinds.ts [folder]: makes src/apiserver/**/generated/*.json, the tables of the built-in kinds that
// the API server serves, from Kubernetes' published definitions, paths and protobuf fields in `folder`.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ProtobufFields, protobufTable } from './kube-protobuf.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const apimachinery = 'io.k8s.apimachinery.pkg.apis.meta.v1';
const apiextensions = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1';

/** Served kinds by the package of their definition. What follows a kind's name are its short names: the published
 * definitions do not say them. */
const served: Readonly<Record<string, readonly string[]>> = {
  'io.k8s.api.core.v1': [
    'Namespace ns',
    'Secret',
    'ConfigMap cm',
    'ServiceAccount sa',
    'Event ev',
    'Pod po',
    'Node no',
    'Service svc',
    'Endpoints ep',
  ],
  'io.k8s.api.events.v1': ['Event ev'],
  'io.k8s.api.coordination.v1': ['Lease'],
  'io.k8s.api.apps.v1': ['Deployment deploy', 'ReplicaSet rs', 'DaemonSet ds', 'StatefulSet sts'],
  'io.k8s.api.networking.v1': ['Ingress ing', 'IngressClass'],
  'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1': ['APIService'],
  [apiextensions]: ['CustomResourceDefinition crd crds'],
  'io.k8s.api.rbac.v1': ['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'],
  'io.k8s.api.admissionregistration.v1': ['MutatingWebhookConfiguration', 'ValidatingWebhookConfiguration'],
  'io.k8s.api.authentication.v1': ['TokenReview', 'TokenRequest', 'SelfSubjectReview'],
  'io.k8s.api.authorization.v1': ['SelfSubjectAccessReview', 'SubjectAccessReview', 'SelfSubjectRulesReview'],
};

/** `kubectl get all` and its like; the published definitions do not say them either. */
const categories: Readonly<Record<string, readonly string[]>> = {
  all: ['Pod', 'Service', 'Deployment', 'ReplicaSet', 'DaemonSet', 'StatefulSet'],
  'api-extensions': [
    'APIService',
    'CustomResourceDefinition',
    'MutatingWebhookConfiguration',
    'ValidatingWebhookConfiguration',
  ],
};

/** Definitions that no served kind holds but requests and answers are made of. */
const alsoNeeded = [
  'io.k8s.api.autoscaling.v1.Scale',
  ...['DeleteOptions', 'ListMeta', 'Patch', 'Status'].map((kind) => `${apimachinery}.${kind}`),
];

const verbOf: Readonly<Record<string, string>> = { post: 'create', put: 'update' };
const subresources = ['scale', 'status', 'token'];

interface Operation {
  'x-kubernetes-action'?: string;
  'x-kubernetes-group-version-kind'?: { group: string; version: string; kind: string };
}

type Paths = Record<string, Record<string, Operation>>;
type Definitions = Record<string, Record<string, unknown>>;

/** The text of each generated file, by its path in the repository. */
export function generate(folder: string): Record<string, string> {
  const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as unknown;
  const { definitions } = read('definitions.json') as { definitions: Definitions };
  const paths = read('paths.json') as Paths;
  const rows = Object.entries(served).flatMap(([group, kinds]) =>
    kinds.map((line) =>
      kindRow(`${group}.${line.split(' ')[0]}`, line.split(' ').slice(1), definitions, paths),
    ),
  );
  const needed = closure([...rows.map(({ definition }) => definition), ...alsoNeeded], definitions);
  return {
    'src/apiserver/schema/generated/kinds.json': print({ kinds: rows, definitions: needed }),
    'src/apiserver/decode/generated/protobuf.json': print({
      messages: protobufTable(read('protobuf-fields.json') as ProtobufFields, needed),
    }),
  };
}

function kindRow(definition: string, shortNames: readonly string[], definitions: Definitions, paths: Paths) {
  const [gvk] = definitions[definition]!['x-kubernetes-group-version-kind'] as [GroupVersionKind];
  const kind = gvk.kind;
  const base = gvk.group === '' ? `/api/${gvk.version}` : `/apis/${gvk.group}/${gvk.version}`;
  const operations = Object.entries(paths)
    .filter(([path]) => path.startsWith(`${base}/`) && !path.startsWith(`${base}/watch/`))
    .flatMap(([path, methods]) => Object.values(methods).map((operation) => ({ path, operation })))
    .filter(({ operation }) => sameKind(operation['x-kubernetes-group-version-kind'], gvk));
  const collection = operations.filter(({ path }) =>
    /^[^{]*(\/namespaces\/\{namespace\}\/[a-z]+)?$/.test(path),
  );
  const plural = collection[0]?.path.split('/').at(-1) ?? `${kind.toLowerCase()}s`;
  const whole = operations.filter(({ path }) => new RegExp(`/${plural}(/\\{name\\})?$`).test(path));
  const named = categoriesOf(kind);
  const verbs = new Set(whole.map(({ operation }) => operation['x-kubernetes-action'] ?? ''));
  if (verbs.has('list')) verbs.add('watch');
  const below = Object.keys(paths).flatMap((path) => {
    const subresource = new RegExp(
      `^${base}(?:/namespaces/\\{namespace\\})?/${plural}/\\{name\\}/(\\w+)$`,
    ).exec(path)?.[1];
    return subresource !== undefined && subresources.includes(subresource) ? [subresource] : [];
  });
  return {
    group: gvk.group,
    version: gvk.version,
    kind,
    definition,
    plural,
    ...(shortNames.length > 0 ? { shortNames } : {}),
    ...(named.length > 0 ? { categories: named } : {}),
    namespaced: operations.some(({ path }) => path.includes('/{namespace}/')),
    verbs: [...verbs].map((verb) => verbOf[verb] ?? verb).toSorted(),
    ...(below.length > 0 ? { subresources: below.toSorted() } : {}),
  };
}

interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

function sameKind(one: GroupVersionKind | undefined, other: GroupVersionKind): boolean {
  return one?.group === other.group && one.version === other.version && one.kind === other.kind;
}

function categoriesOf(kind: string): string[] {
  return Object.keys(categories).filter((category) => categories[category]!.includes(kind));
}

/** The definitions that `roots` are made of, references shortened to the name they mean. */
function closure(roots: readonly string[], definitions: Definitions): Definitions {
  const found = new Set<string>();
  const queue = [...roots];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name)) continue;
    const text = JSON.stringify(definitions[name]);
    if (text === undefined) throw new Error(`${name} is not among the definitions`);
    found.add(name);
    queue.push(...[...text.matchAll(/"#\/definitions\/([^"]+)"/g)].map((match) => match[1]!));
  }
  return Object.fromEntries(
    [...found].toSorted().map((name) => {
      const text = JSON.stringify(definitions[name]).replaceAll('"#/definitions/', '"');
      const { 'x-kubernetes-group-version-kind': _, ...definition } = JSON.parse(text);
      return [name, definition];
    }),
  );
}

/** JSON with one entry of each table a line, so that a change of Kubernetes' shows as the lines that changed. */
function print(tables: Record<string, unknown[] | object>): string {
  const sections = Object.entries(tables).map(([name, table]) => {
    const [open, lines, close] = Array.isArray(table)
      ? ['[', table.map((row) => JSON.stringify(row)), ']']
      : [
          '{',
          Object.entries(table).map(([key, row]) => `${JSON.stringify(key)}:${JSON.stringify(row)}`),
          '}',
        ];
    return `${JSON.stringify(name)}:${open}\n${lines.join(',\n')}\n${close}`;
  });
  return `{${sections.join(',\n')}}\n`;
}

if (import.meta.main) {
  const folder = process.argv[2] ?? join(root, '../shared/kubernetes');
  if (!existsSync(folder))
    throw new Error(`${folder} is not there; name the folder that holds definitions.json`);
  for (const [path, text] of Object.entries(generate(folder))) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    console.log(`${path}: ${Math.round(text.length / 1024)} KB`);
  }
}
