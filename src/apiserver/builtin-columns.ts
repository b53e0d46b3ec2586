import type { ApiObject } from './api-object.ts';
import { ageSince } from './human-duration.ts';
import { fieldText } from './selectors.ts';

export type Cell = string | number | boolean | null;

/** A column of a Table. Those of priority 1 are shown by `-o wide` alone. */
export interface Column {
  name: string;
  type: string;
  format: string;
  description: string;
  priority: number;
}

export interface ColumnSource extends Column {
  cell: (object: ApiObject, nowMs: number) => Cell;
}

/** A part of an object; its schema says what the leaves are. */
type Field = Record<string, unknown>;

const print = (value: unknown, absent = '') => String((value as string | number | undefined) ?? absent);

function column(name: string, cell: ColumnSource['cell'], type = 'string', priority = 0): ColumnSource {
  return { name, type, format: name === 'Name' ? 'name' : '', description: '', priority, cell };
}

function wide(name: string, cell: ColumnSource['cell']): ColumnSource {
  return column(name, cell, 'string', 1);
}

export const nameColumn = column('Name', ({ metadata }) => metadata.name);
export const ageColumn = column('Age', ({ metadata }, nowMs) => ageSince(metadata.creationTimestamp, nowMs));

const at = (path: string, absent = '') => column('', (object) => fieldText(object, path) || absent).cell;
const count = (path: string) => (object: ApiObject) => Number(fieldText(object, path) || 0);
const list = (value: unknown): Field[] => (Array.isArray(value) ? (value as Field[]) : []);
const inside = (object: unknown, path: string): unknown =>
  path.split('.').reduce((value, step) => (value as Field | undefined)?.[step], object);
const size = (value: unknown) => Object.keys(value ?? {}).length;
const joined = (values: readonly unknown[], none = '<none>') => values.map(String).join(',') || none;
const pairs = (value: unknown) =>
  Object.entries((value ?? {}) as Field)
    .map(([key, one]) => `${key}=${String(one)}`)
    .join(',') || '<none>';
const created = (object: ApiObject) => object.metadata.creationTimestamp ?? '';

const containers = (object: ApiObject) => list(inside(object, 'spec.template.spec.containers'));
const workloadWide = [
  wide('Containers', (object) => joined(containers(object).map(({ name }) => name))),
  wide('Images', (object) => joined(containers(object).map(({ image }) => image))),
];
const workloadSelector = wide('Selector', (object) => pairs(inside(object, 'spec.selector.matchLabels')));

function subjects(kind: string): ColumnSource['cell'] {
  return ({ subjects }) =>
    list(subjects)
      .filter((subject) => subject['kind'] === kind)
      .map(({ namespace, name }) =>
        kind === 'ServiceAccount' ? `${String(namespace)}/${String(name)}` : name,
      )
      .join(', ');
}

const bindingColumns = [
  nameColumn,
  column('Role', ({ roleRef }) => `${fieldText(roleRef, 'kind')}/${fieldText(roleRef, 'name')}`),
  ageColumn,
  wide('Users', subjects('User')),
  wide('Groups', subjects('Group')),
  wide('ServiceAccounts', subjects('ServiceAccount')),
];

const roleColumns = [nameColumn, column('Created At', created)];
const webhookColumns = [
  nameColumn,
  column('Webhooks', ({ webhooks }) => list(webhooks).length, 'integer'),
  ageColumn,
];

function eventCell(path: string, deprecated: string): ColumnSource['cell'] {
  return (event) => fieldText(event, path) || fieldText(event, deprecated);
}

function lastSeen(event: ApiObject, nowMs: number): string {
  const series = fieldText(event, 'series.lastObservedTime');
  const time = series || fieldText(event, 'lastTimestamp') || fieldText(event, 'deprecatedLastTimestamp');
  return ageSince(time || fieldText(event, 'eventTime') || undefined, nowMs);
}

function firstSeen(event: ApiObject, nowMs: number): string {
  const time = fieldText(event, 'firstTimestamp') || fieldText(event, 'deprecatedFirstTimestamp');
  return ageSince(time || fieldText(event, 'eventTime') || undefined, nowMs);
}

function involved(event: ApiObject): string {
  const about = (event['involvedObject'] ?? event['regarding'] ?? {}) as Field;
  return `${fieldText(about, 'kind').toLowerCase()}/${fieldText(about, 'name')}`;
}

const eventColumns = [
  column('Last Seen', lastSeen),
  column('Type', at('type')),
  column('Reason', at('reason')),
  column('Object', involved),
  wide('Subobject', eventCell('involvedObject.fieldPath', 'regarding.fieldPath')),
  wide('Source', (event) => {
    const component = fieldText(event, 'source.component') || fieldText(event, 'deprecatedSource.component');
    return component || fieldText(event, 'reportingComponent') || fieldText(event, 'reportingController');
  }),
  column('Message', (event) => eventCell('message', 'note')(event, 0)?.toString().trim() ?? ''),
  wide('First Seen', firstSeen),
  { ...wide('Count', (event) => Math.max(1, count('count')(event), count('series.count')(event))) },
  wide('Name', ({ metadata }) => metadata.name),
];

function podReady(pod: ApiObject): string {
  const statuses = list(inside(pod, 'status.containerStatuses'));
  return `${statuses.filter(({ ready }) => ready).length}/${list(inside(pod, 'spec.containers')).length}`;
}

function podStatus(pod: ApiObject): string {
  if (pod.metadata.deletionTimestamp) return 'Terminating';
  return fieldText(pod, 'status.reason') || fieldText(pod, 'status.phase') || 'Pending';
}

function podRestarts(pod: ApiObject): string {
  const statuses = list(inside(pod, 'status.containerStatuses'));
  return String(statuses.reduce((sum, { restartCount }) => sum + Number(restartCount ?? 0), 0));
}

function servicePorts(service: ApiObject): string {
  return joined(
    list(inside(service, 'spec.ports')).map(({ port, nodePort, protocol }) => {
      const outside = nodePort ? `:${print(nodePort)}` : '';
      return `${print(port)}${outside}/${print(protocol, 'TCP')}`;
    }),
  );
}

function endpointList(endpoints: ApiObject): string {
  const all = list(endpoints['subsets']).flatMap(({ addresses, ports }) =>
    list(addresses).flatMap(({ ip }) => list(ports).map(({ port }) => `${String(ip)}:${String(port)}`)),
  );
  return all.length > 3 ? `${all.slice(0, 3).join(',')} + ${all.length - 3} more...` : joined(all);
}

function nodeStatus(node: ApiObject): string {
  const ready = list(inside(node, 'status.conditions')).find(({ type }) => type === 'Ready');
  const state = ready ? (ready['status'] === 'True' ? 'Ready' : 'NotReady') : 'Unknown';
  return inside(node, 'spec.unschedulable') ? `${state},SchedulingDisabled` : state;
}

function nodeRoles(node: ApiObject): string {
  const prefix = 'node-role.kubernetes.io/';
  const roles = Object.keys(node.metadata.labels ?? {}).filter((label) => label.startsWith(prefix));
  return joined(roles.map((label) => label.slice(prefix.length)).toSorted());
}

function nodeAddress(type: string): ColumnSource['cell'] {
  return (node) => {
    const found = list(inside(node, 'status.addresses')).find((address) => address['type'] === type);
    return print(found?.['address'], '<none>');
  };
}

function ingressHosts(ingress: ApiObject): string {
  const hosts = list(inside(ingress, 'spec.rules')).map(({ host }) => print(host || '*'));
  return hosts.length > 3
    ? `${hosts.slice(0, 3).join(',')} + ${hosts.length - 3} more...`
    : joined(hosts, '*');
}

function ingressAddress(ingress: ApiObject): string {
  const points = list(inside(ingress, 'status.loadBalancer.ingress'));
  return joined(
    points.map(({ ip, hostname }) => print(ip || hostname)),
    '',
  );
}

/** The columns of built-in kinds by group and plural, as k8s.io/kubernetes/pkg/printers/internalversion has them. */
const columnsByResource: Readonly<Record<string, readonly ColumnSource[]>> = {
  '/namespaces': [nameColumn, column('Status', at('status.phase')), ageColumn],
  '/secrets': [
    nameColumn,
    column('Type', at('type')),
    column('Data', ({ data }) => size(data), 'string'),
    ageColumn,
  ],
  '/configmaps': [
    nameColumn,
    column('Data', ({ data, binaryData }) => size(data) + size(binaryData), 'string'),
    ageColumn,
  ],
  '/serviceaccounts': [
    nameColumn,
    column('Secrets', ({ secrets }) => list(secrets).length, 'string'),
    ageColumn,
  ],
  '/events': eventColumns,
  'events.k8s.io/events': eventColumns,
  '/pods': [
    nameColumn,
    column('Ready', podReady),
    column('Status', podStatus),
    column('Restarts', podRestarts),
    ageColumn,
    wide('IP', at('status.podIP', '<none>')),
    wide('Node', at('spec.nodeName', '<none>')),
    wide('Nominated Node', at('status.nominatedNodeName', '<none>')),
    wide('Readiness Gates', () => '<none>'),
  ],
  '/nodes': [
    nameColumn,
    column('Status', nodeStatus),
    column('Roles', nodeRoles),
    ageColumn,
    column('Version', at('status.nodeInfo.kubeletVersion')),
    wide('Internal-IP', nodeAddress('InternalIP')),
    wide('External-IP', nodeAddress('ExternalIP')),
    wide('OS-Image', at('status.nodeInfo.osImage', '<unknown>')),
    wide('Kernel-Version', at('status.nodeInfo.kernelVersion', '<unknown>')),
    wide('Container-Runtime', at('status.nodeInfo.containerRuntimeVersion', '<unknown>')),
  ],
  '/services': [
    nameColumn,
    column('Type', at('spec.type')),
    column('Cluster-IP', at('spec.clusterIP', '<none>')),
    column('External-IP', (service) =>
      joined((inside(service, 'spec.externalIPs') as unknown[] | undefined) ?? []),
    ),
    column('Port(s)', servicePorts),
    ageColumn,
    wide('Selector', (service) => pairs(inside(service, 'spec.selector'))),
  ],
  '/endpoints': [nameColumn, column('Endpoints', endpointList), ageColumn],
  'coordination.k8s.io/leases': [nameColumn, column('Holder', at('spec.holderIdentity')), ageColumn],
  'apps/deployments': [
    nameColumn,
    column('Ready', (object) => `${count('status.readyReplicas')(object)}/${count('spec.replicas')(object)}`),
    column('Up-to-date', count('status.updatedReplicas'), 'string'),
    column('Available', count('status.availableReplicas'), 'string'),
    ageColumn,
    ...workloadWide,
    workloadSelector,
  ],
  'apps/replicasets': [
    nameColumn,
    column('Desired', count('spec.replicas'), 'integer'),
    column('Current', count('status.replicas'), 'integer'),
    column('Ready', count('status.readyReplicas'), 'integer'),
    ageColumn,
    ...workloadWide,
    workloadSelector,
  ],
  'apps/daemonsets': [
    nameColumn,
    column('Desired', count('status.desiredNumberScheduled'), 'integer'),
    column('Current', count('status.currentNumberScheduled'), 'integer'),
    column('Ready', count('status.numberReady'), 'integer'),
    column('Up-to-date', count('status.updatedNumberScheduled'), 'integer'),
    column('Available', count('status.numberAvailable'), 'integer'),
    column('Node Selector', (object) => pairs(inside(object, 'spec.template.spec.nodeSelector'))),
    ageColumn,
    ...workloadWide,
    workloadSelector,
  ],
  'apps/statefulsets': [
    nameColumn,
    column('Ready', (object) => `${count('status.readyReplicas')(object)}/${count('spec.replicas')(object)}`),
    ageColumn,
    ...workloadWide,
  ],
  'networking.k8s.io/ingresses': [
    nameColumn,
    column('Class', at('spec.ingressClassName', '<none>')),
    column('Hosts', ingressHosts),
    column('Address', ingressAddress),
    column('Ports', (ingress) => (list(inside(ingress, 'spec.tls')).length > 0 ? '80, 443' : '80')),
    ageColumn,
  ],
  'networking.k8s.io/ingressclasses': [
    nameColumn,
    column('Controller', at('spec.controller')),
    column('Parameters', (ingressClass) => {
      const { kind, apiGroup, name } = (inside(ingressClass, 'spec.parameters') ?? {}) as Field;
      return name === undefined
        ? '<none>'
        : `${print(kind)}${apiGroup ? `.${print(apiGroup)}` : ''}/${print(name)}`;
    }),
    ageColumn,
  ],
  'apiregistration.k8s.io/apiservices': [
    nameColumn,
    column('Service', (object) => {
      const { namespace, name } = (inside(object, 'spec.service') ?? {}) as Field;
      return name === undefined ? 'Local' : `${print(namespace)}/${print(name)}`;
    }),
    column('Available', (object) => {
      const found = list(inside(object, 'status.conditions')).find(({ type }) => type === 'Available');
      return print(found?.['status'], 'Unknown');
    }),
    ageColumn,
  ],
  'apiextensions.k8s.io/customresourcedefinitions': [nameColumn, column('Created At', created)],
  'rbac.authorization.k8s.io/roles': roleColumns,
  'rbac.authorization.k8s.io/clusterroles': roleColumns,
  'rbac.authorization.k8s.io/rolebindings': bindingColumns,
  'rbac.authorization.k8s.io/clusterrolebindings': bindingColumns,
  'admissionregistration.k8s.io/mutatingwebhookconfigurations': webhookColumns,
  'admissionregistration.k8s.io/validatingwebhookconfigurations': webhookColumns,
};

export function builtinColumns(group: string, plural: string): readonly ColumnSource[] {
  return columnsByResource[`${group}/${plural}`] ?? [nameColumn, column('Created At', created)];
}
