import { crdErrors, withCrdDefaults } from './crd-rules.ts';
import { configMapErrors, secretErrors, withCanonicalBytes, withSecretDefaults } from './data-rules.ts';
import { type FieldError, goJson, invalid, notSupported, required } from './field-error.ts';
import { ingressClassErrors, ingressErrors, withIngressClassDefaults } from './ingress-rules.ts';
import type { KindInfo } from './kinds.ts';
import { orElse, podSpecErrors, withPodDefaults } from './pod-rules.ts';
import { isObject, type Json, mapObject, textOf } from './structural.ts';
import { withWorkloadDefaults, workloadErrors } from './workload-rules.ts';

export { nameChecker, validateMeta } from './metadata-rules.ts';

export interface Prepared {
  /** With everything filled in that the server decides. */
  object: Json;
  /** What the kind's own rules refuse; metadata and schema are judged on their own. */
  errors: FieldError[];
}

interface Rules {
  withDefaults?: (object: Json) => Json;
  errors?: (object: Json, old?: Json) => FieldError[];
}

type KindName = Pick<KindInfo, 'group' | 'kind'>;

/**
 * A new object of a built-in kind as upstream would store it, as far as no other object is needed to know.
 *
 * @param object one that its schema accepts (validateObject)
 */
export function prepareCreate(kind: KindName, object: Json): Prepared {
  return prepare(kind, object, undefined);
}

/** The same for an object that takes the place of `old`. */
export function prepareUpdate(kind: KindName, object: Json, old: Json): Prepared {
  return prepare(kind, object, old);
}

/**
 * The object without nulls: in Kubernetes' own kinds a null says nothing, and is never stored. Nulls in lists stay,
 * so that what follows keeps its place.
 */
export function dropNulls<T extends Json>(object: T): T {
  return withoutNulls(object) as T;
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value))
    return value.some((item) => withoutNulls(item) !== item) ? value.map(withoutNulls) : value;
  if (!isObject(value)) return value;
  return mapObject(value, (_, part) => (part === null ? undefined : withoutNulls(part)));
}

function prepare({ group, kind }: KindName, given: Json, old: Json | undefined): Prepared {
  const rules = rulesOf[`${kind}.${group}`] ?? {};
  const bare = dropNulls(given);
  const object = rules.withDefaults?.(bare) ?? bare;
  return { object, errors: rules.errors?.(object, old) ?? [] };
}

const rulesOf: Readonly<Record<string, Rules>> = {
  'Namespace.': { withDefaults: withNamespaceDefaults },
  'Secret.': { withDefaults: withSecretDefaults, errors: secretErrors },
  'ConfigMap.': {
    withDefaults: (object) => withCanonicalBytes(object, 'binaryData'),
    errors: configMapErrors,
  },
  'Service.': { withDefaults: withServiceDefaults, errors: serviceErrors },
  'Endpoints.': { withDefaults: withEndpointsDefaults },
  'Pod.': {
    withDefaults: (pod) => ({
      ...pod,
      spec: orElse(withPodDefaults(specOf(pod)), { enableServiceLinks: true }),
    }),
    errors: (pod) => podSpecErrors(specOf(pod), 'spec'),
  },
  'Ingress.networking.k8s.io': { errors: ingressErrors },
  'IngressClass.networking.k8s.io': { withDefaults: withIngressClassDefaults, errors: ingressClassErrors },
  'Event.': { errors: eventErrors },
  'Lease.coordination.k8s.io': { errors: leaseErrors },
  'CustomResourceDefinition.apiextensions.k8s.io': { withDefaults: withCrdDefaults, errors: crdErrors },
  'Role.rbac.authorization.k8s.io': { errors: roleErrors },
  'ClusterRole.rbac.authorization.k8s.io': { errors: roleErrors },
  'RoleBinding.rbac.authorization.k8s.io': { withDefaults: withSubjectGroups, errors: bindingErrors },
  'ClusterRoleBinding.rbac.authorization.k8s.io': { withDefaults: withSubjectGroups, errors: bindingErrors },
  'MutatingWebhookConfiguration.admissionregistration.k8s.io': {
    withDefaults: (object) => withWebhookDefaults(object, { reinvocationPolicy: 'Never' }),
    errors: webhookErrors,
  },
  'ValidatingWebhookConfiguration.admissionregistration.k8s.io': {
    withDefaults: (object) => withWebhookDefaults(object, {}),
    errors: webhookErrors,
  },
  ...Object.fromEntries(
    ['Deployment', 'ReplicaSet', 'DaemonSet', 'StatefulSet'].map((kind) => [
      `${kind}.apps`,
      { withDefaults: (object: Json) => withWorkloadDefaults(kind, object), errors: workloadErrors },
    ]),
  ),
};

function specOf(object: Json): Json {
  return isObject(object['spec']) ? object['spec'] : {};
}

function listOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** Without its finalizer a namespace would go before what it holds. */
function withNamespaceDefaults(namespace: Json): Json {
  const metadata = (namespace['metadata'] ?? {}) as {
    name?: string;
    labels?: Json;
    deletionTimestamp?: string;
  };
  const deleting = metadata.deletionTimestamp !== undefined;
  const spec = specOf(namespace);
  return {
    ...namespace,
    metadata: {
      ...metadata,
      ...(metadata.name
        ? { labels: { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name } }
        : {}),
    },
    spec:
      deleting || listOfText(spec['finalizers']).length > 0 ? spec : { ...spec, finalizers: ['kubernetes'] },
    status: orElse(namespace['status'], { phase: deleting ? 'Terminating' : 'Active' }),
  };
}

function listOfText(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

function withServiceDefaults(service: Json): Json {
  const spec = orElse(specOf(service), { sessionAffinity: 'None', type: 'ClusterIP' });
  const ports = listOf(spec['ports']).map((port) => {
    const complete = orElse(port, { protocol: 'TCP', targetPort: port['port'] });
    return complete['targetPort'] === 0 || complete['targetPort'] === ''
      ? { ...complete, targetPort: port['port'] }
      : complete;
  });
  const cluster =
    spec['type'] === 'ExternalName'
      ? {}
      : { internalTrafficPolicy: 'Cluster', ipFamilies: ['IPv4'], ipFamilyPolicy: 'SingleStack' };
  return { ...service, spec: { ...orElse(spec, cluster), ...(ports.length > 0 ? { ports } : {}) } };
}

const serviceTypes = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];

function serviceErrors(service: Json): FieldError[] {
  const spec = specOf(service);
  const type = spec['type'];
  const errors: FieldError[] = [];
  const ports = listOf(spec['ports']);
  if (!serviceTypes.includes(String(type))) errors.push(notSupported('spec.type', type, serviceTypes));
  if (ports.length === 0 && type !== 'ExternalName' && spec['clusterIP'] !== 'None')
    errors.push(required('spec.ports'));
  for (const [index, { port, name }] of ports.entries()) {
    const at = `spec.ports[${index}]`;
    if (typeof port !== 'number' || port < 1 || port > 65_535) {
      errors.push(invalid(`${at}.port`, port ?? 0, 'must be between 1 and 65535, inclusive'));
    }
    if (ports.length > 1 && !name) errors.push(required(`${at}.name`));
  }
  return errors;
}

function withEndpointsDefaults(endpoints: Json): Json {
  if (!Array.isArray(endpoints['subsets'])) return endpoints;
  const subsets = listOf(endpoints['subsets']).map((subset) =>
    subset['ports'] === undefined
      ? subset
      : { ...subset, ports: listOf(subset['ports']).map((port) => orElse(port, { protocol: 'TCP' })) },
  );
  return { ...endpoints, subsets };
}

/** Events about objects of the cluster go to the namespace `default`. */
function eventErrors(event: Json): FieldError[] {
  const { namespace = '' } = (event['metadata'] ?? {}) as { namespace?: string };
  const { namespace: about = '' } = (event['involvedObject'] ?? {}) as { namespace?: string };
  const fits = about === '' ? namespace === 'default' || namespace === 'kube-system' : about === namespace;
  return fits ? [] : [invalid('involvedObject.namespace', about, 'does not match event.namespace')];
}

function leaseErrors(lease: Json): FieldError[] {
  const { leaseDurationSeconds: duration, leaseTransitions: transitions } = specOf(lease);
  return [
    ...(typeof duration === 'number' && duration <= 0
      ? [invalid('spec.leaseDurationSeconds', duration, 'must be greater than 0')]
      : []),
    ...(typeof transitions === 'number' && transitions < 0
      ? [invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0')]
      : []),
  ];
}

function roleErrors(role: Json): FieldError[] {
  return listOf(role['rules']).flatMap((rule, index) => {
    const at = `rules[${index}]`;
    if (listOfText(rule['verbs']).length === 0)
      return [required(`${at}.verbs`, 'verbs must contain at least one value')];
    if (listOfText(rule['nonResourceURLs']).length > 0) return [];
    if (listOfText(rule['apiGroups']).length === 0) {
      return [required(`${at}.apiGroups`, 'resource rules must supply at least one api group')];
    }
    if (listOfText(rule['resources']).length === 0) {
      return [required(`${at}.resources`, 'resource rules must supply at least one resource')];
    }
    return [];
  });
}

const rbac = 'rbac.authorization.k8s.io';

function withSubjectGroups(binding: Json): Json {
  const subjects = listOf(binding['subjects']).map((subject) =>
    subject['kind'] === 'ServiceAccount' ? subject : { ...subject, apiGroup: subject['apiGroup'] || rbac },
  );
  const roleRef = orElse(binding['roleRef'], {});
  if (!roleRef['apiGroup']) roleRef['apiGroup'] = rbac;
  return { ...binding, roleRef, ...(subjects.length > 0 ? { subjects } : {}) };
}

function bindingErrors(binding: Json, old?: Json): FieldError[] {
  const roleRef = orElse(binding['roleRef'], {});
  const kinds = binding['kind'] === 'ClusterRoleBinding' ? ['ClusterRole'] : ['ClusterRole', 'Role'];
  const errors: FieldError[] = [];
  if (roleRef['apiGroup'] !== rbac)
    errors.push(notSupported('roleRef.apiGroup', roleRef['apiGroup'], [rbac]));
  if (!kinds.includes(String(roleRef['kind'])))
    errors.push(notSupported('roleRef.kind', roleRef['kind'] ?? '', kinds));
  if (!roleRef['name']) errors.push(required('roleRef.name'));
  for (const [index, { kind, name, namespace }] of listOf(binding['subjects']).entries()) {
    const at = `subjects[${index}]`;
    if (!name) errors.push(required(`${at}.name`));
    if (kind === 'ServiceAccount' && !namespace) errors.push(required(`${at}.namespace`));
    if (kind !== 'ServiceAccount' && kind !== 'User' && kind !== 'Group') {
      errors.push(notSupported(`${at}.kind`, kind ?? '', ['Group', 'ServiceAccount', 'User']));
    }
  }
  if (old && goJson(old['roleRef']) !== goJson(roleRef))
    errors.push(invalid('roleRef', roleRef, 'cannot change roleRef'));
  return errors;
}

function withWebhookDefaults(object: Json, own: Json): Json {
  if (!Array.isArray(object['webhooks'])) return object;
  const webhooks = listOf(object['webhooks']).map((webhook) => {
    const complete = orElse(webhook, {
      failurePolicy: 'Fail',
      matchPolicy: 'Equivalent',
      namespaceSelector: {},
      objectSelector: {},
      timeoutSeconds: 10,
      ...own,
    });
    const client = orElse(complete['clientConfig'], {});
    if (isObject(client['service'])) client['service'] = orElse(client['service'], { port: 443 });
    const rules = listOf(complete['rules']).map((rule) => orElse(rule, { scope: '*' }));
    return { ...complete, clientConfig: client, ...(rules.length > 0 ? { rules } : {}) };
  });
  return { ...object, webhooks };
}

function webhookErrors(object: Json): FieldError[] {
  return listOf(object['webhooks']).flatMap((webhook, index) => {
    const at = `webhooks[${index}]`;
    const name = textOf(webhook['name']);
    const client = orElse(webhook['clientConfig'], {});
    const errors: FieldError[] = [];
    if (name === '') errors.push(required(`${at}.name`));
    else if (name.split('.').length < 3) {
      errors.push(
        invalid(`${at}.name`, name, 'should be a domain with at least three segments separated by dots'),
      );
    }
    const effects = webhook['sideEffects'];
    if (effects !== 'None' && effects !== 'NoneOnDryRun') {
      errors.push(
        effects
          ? notSupported(`${at}.sideEffects`, effects, ['None', 'NoneOnDryRun'])
          : required(`${at}.sideEffects`),
      );
    }
    const reviews = listOfText(webhook['admissionReviewVersions']);
    if (reviews.length === 0)
      errors.push(required(`${at}.admissionReviewVersions`, 'must specify one of v1, v1beta1'));
    if ((client['url'] === undefined) === (client['service'] === undefined)) {
      errors.push(required(`${at}.clientConfig`, 'exactly one of url or service is required'));
    }
    return errors;
  });
}
