/** Message name -> field name -> [number, 'optional' | 'repeated', type] or [number, 'map', key type, value type]. */
export type ProtobufFields = Record<string, Record<string, (number | string)[]>>;

interface Definition {
  properties?: Record<string, unknown>;
  required?: string[];
}

/**
 * Scalar fields that Go holds by pointer, so that a zero on the wire was meant. Go writes every other scalar, zero or
 * not, and the published definitions do not tell the two apart.
 */
const pointers: Readonly<Record<string, string>> = {
  'core.v1.AppArmorProfile': 'localhostProfile',
  'core.v1.AzureDiskVolumeSource': 'cachingMode fsType kind readOnly',
  'core.v1.ClientIPConfig': 'timeoutSeconds',
  'core.v1.ClusterTrustBundleProjection': 'name optional signerName',
  'core.v1.ConfigMap': 'immutable',
  'core.v1.ConfigMapEnvSource': 'optional',
  'core.v1.ConfigMapKeySelector': 'optional',
  'core.v1.ConfigMapProjection': 'optional',
  'core.v1.ConfigMapVolumeSource': 'defaultMode optional',
  'core.v1.Container': 'restartPolicy',
  'core.v1.ContainerStatus': 'started stopSignal',
  'core.v1.CSIVolumeSource': 'fsType readOnly',
  'core.v1.DownwardAPIVolumeFile': 'mode',
  'core.v1.DownwardAPIVolumeSource': 'defaultMode',
  'core.v1.EndpointAddress': 'nodeName',
  'core.v1.EndpointPort': 'appProtocol',
  'core.v1.FCVolumeSource': 'lun',
  'core.v1.FileKeySelector': 'optional',
  'core.v1.GRPCAction': 'service',
  'core.v1.HostPathVolumeSource': 'type',
  'core.v1.ISCSIVolumeSource': 'initiatorName',
  'core.v1.KeyToPath': 'mode',
  'core.v1.Lifecycle': 'stopSignal',
  'core.v1.LoadBalancerIngress': 'ipMode',
  'core.v1.NodeFeatures': 'supplementalGroupsPolicy',
  'core.v1.NodeRuntimeHandlerFeatures': 'recursiveReadOnlyMounts userNamespaces',
  'core.v1.NodeSwapStatus': 'capacity',
  'core.v1.PersistentVolumeClaimSpec': 'storageClassName volumeAttributesClassName volumeMode',
  'core.v1.PersistentVolumeClaimStatus': 'currentVolumeAttributesClassName',
  'core.v1.PodCertificateProjection': 'maxExpirationSeconds',
  'core.v1.PodDNSConfigOption': 'value',
  'core.v1.PodResourceClaim': 'resourceClaimName resourceClaimTemplateName',
  'core.v1.PodResourceClaimStatus': 'resourceClaimName',
  'core.v1.PodSchedulingGroup': 'podGroupName',
  'core.v1.PodSecurityContext':
    'fsGroup fsGroupChangePolicy runAsGroup runAsNonRoot runAsUser seLinuxChangePolicy supplementalGroupsPolicy',
  'core.v1.PodSpec':
    'activeDeadlineSeconds automountServiceAccountToken enableServiceLinks hostUsers hostnameOverride preemptionPolicy priority runtimeClassName setHostnameAsFQDN shareProcessNamespace terminationGracePeriodSeconds',
  'core.v1.PortStatus': 'error',
  'core.v1.Probe': 'terminationGracePeriodSeconds',
  'core.v1.ProjectedVolumeSource': 'defaultMode',
  'core.v1.ResourceHealth': 'message',
  'core.v1.SeccompProfile': 'localhostProfile',
  'core.v1.Secret': 'immutable',
  'core.v1.SecretEnvSource': 'optional',
  'core.v1.SecretKeySelector': 'optional',
  'core.v1.SecretProjection': 'optional',
  'core.v1.SecretVolumeSource': 'defaultMode optional',
  'core.v1.SecurityContext':
    'allowPrivilegeEscalation privileged procMount readOnlyRootFilesystem runAsGroup runAsNonRoot runAsUser',
  'core.v1.ServiceAccount': 'automountServiceAccountToken',
  'core.v1.ServiceAccountTokenProjection': 'expirationSeconds',
  'core.v1.ServicePort': 'appProtocol',
  'core.v1.ServiceSpec':
    'allocateLoadBalancerNodePorts internalTrafficPolicy ipFamilyPolicy loadBalancerClass trafficDistribution',
  'core.v1.Toleration': 'tolerationSeconds',
  'core.v1.TopologySpreadConstraint': 'minDomains nodeAffinityPolicy nodeTaintsPolicy',
  'core.v1.TypedLocalObjectReference': 'apiGroup',
  'core.v1.TypedObjectReference': 'apiGroup namespace',
  'core.v1.VolumeMount': 'mountPropagation recursiveReadOnly',
  'core.v1.VolumeMountStatus': 'recursiveReadOnly',
  'core.v1.WindowsSecurityContextOptions':
    'gmsaCredentialSpec gmsaCredentialSpecName hostProcess runAsUserName',
  'coordination.v1.LeaseSpec':
    'holderIdentity leaseDurationSeconds leaseTransitions preferredHolder strategy',
  'apps.v1.DaemonSetSpec': 'revisionHistoryLimit',
  'apps.v1.DaemonSetStatus': 'collisionCount',
  'apps.v1.DeploymentSpec': 'progressDeadlineSeconds replicas revisionHistoryLimit',
  'apps.v1.DeploymentStatus': 'collisionCount terminatingReplicas',
  'apps.v1.ReplicaSetSpec': 'replicas',
  'apps.v1.ReplicaSetStatus': 'terminatingReplicas',
  'apps.v1.RollingUpdateStatefulSetStrategy': 'partition',
  'apps.v1.StatefulSetSpec': 'replicas revisionHistoryLimit',
  'apps.v1.StatefulSetStatus': 'collisionCount',
  'admissionregistration.v1.MutatingWebhook':
    'failurePolicy matchPolicy reinvocationPolicy sideEffects timeoutSeconds',
  'admissionregistration.v1.ServiceReference': 'path port',
  'admissionregistration.v1.ValidatingWebhook': 'failurePolicy matchPolicy sideEffects timeoutSeconds',
  'admissionregistration.v1.WebhookClientConfig': 'url',
  'authentication.v1.TokenRequestSpec': 'expirationSeconds',
  'meta.v1.DeleteOptions':
    'gracePeriodSeconds ignoreStoreReadErrorWithClusterBreakingPotential orphanDependents propagationPolicy',
  'meta.v1.ListMeta': 'remainingItemCount',
  'meta.v1.ObjectMeta': 'deletionGracePeriodSeconds',
  'meta.v1.OwnerReference': 'blockOwnerDeletion controller',
  'meta.v1.Preconditions': 'resourceVersion uid',
};

const scalars = new Set(['string', 'bytes', 'bool', 'int32', 'int64', 'double']);

/**
 * The messages behind `definitions` for src/apiserver/decode/protobuf.ts: per message, each field as
 * `<number> <JSON name> <type>`. The name is `-` where JSON has the message's fields in place of the message; the
 * type is a scalar or a message, `[type]` repeated, `{type}` the values of a map keyed by strings, with `!` behind a
 * scalar whose zero counts. Fields that the definitions do not know are left out, as an older server skips them.
 */
export function protobufTable(
  fields: ProtobufFields,
  definitions: Record<string, object>,
): Record<string, string[]> {
  const table: Record<string, string[]> = {};
  const visit = (message: string, definition: Definition | undefined): void => {
    if (table[message] || !fields[message]) return;
    const rows: string[] = (table[message] = []);
    for (const [field, [number, label, keyOrType, valueType]] of Object.entries(fields[message])) {
      const type = qualify(String(label === 'map' ? valueType : keyOrType), message, fields);
      const name = jsonName(field, definition);
      const own: Definition | undefined = definitions[definitionName(type)];
      if (name === undefined) {
        if (label !== 'optional' || !isInline(fields[type], definition)) continue;
        rows.push(`${number} - ${type}`);
        visit(type, definition);
        continue;
      }
      const wrapped = label === 'map' ? `{${type}}` : label === 'repeated' ? `[${type}]` : type;
      const counts =
        label === 'optional' &&
        scalars.has(type) &&
        (definition?.required?.includes(name) || isPointer(message, name));
      rows.push(`${number} ${name} ${wrapped}${counts ? '!' : ''}`);
      visit(type, own);
    }
    rows.sort((one, other) => Number.parseInt(one, 10) - Number.parseInt(other, 10));
  };
  for (const [name, definition] of Object.entries(definitions)) visit(messageName(name), definition);
  return Object.fromEntries(Object.entries(table).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}

function messageName(definition: string): string {
  return definition.replace(/^io\.k8s\./, 'k8s.io.');
}

function definitionName(message: string): string {
  return message.replace(/^k8s\.io\./, 'io.k8s.');
}

/** Types are written relative to their message's package, or absolutely with a dot in front. */
function qualify(type: string, message: string, fields: ProtobufFields): string {
  if (scalars.has(type)) return type;
  const full = type.startsWith('.') ? type.slice(1) : `${message.slice(0, message.lastIndexOf('.'))}.${type}`;
  if (!fields[full]) throw new Error(`${message} has a field of unknown type ${type}`);
  return full;
}

/** A few messages write a field's first letter in another case than JSON does. */
function jsonName(field: string, definition: Definition | undefined): string | undefined {
  if (!definition?.properties) return field;
  const names = Object.keys(definition.properties);
  return (
    names.find((name) => name === field) ?? names.find((name) => name.toLowerCase() === field.toLowerCase())
  );
}

function isInline(message: ProtobufFields[string] | undefined, definition: Definition | undefined): boolean {
  const names = Object.keys(message ?? {});
  return names.length > 0 && names.every((name) => name in (definition?.properties ?? {}));
}

function isPointer(message: string, name: string): boolean {
  const short = message.replace(/^.*\.(\w+\.v\w+\.\w+)$/, '$1');
  return pointers[short]?.split(' ').includes(name) ?? false;
}
