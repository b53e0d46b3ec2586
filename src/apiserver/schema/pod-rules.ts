import { duplicate, type FieldError, invalid, required } from './field-error.ts';
import { dns1123Label } from './names.ts';
import { isObject, type Json, textOf } from './structural.ts';

/** `fallback` under what `given` says; nulls say nothing. */
export function orElse(given: unknown, fallback: Json): Json {
  const said = isObject(given)
    ? Object.entries(given).filter(([, value]) => value !== null && value !== undefined)
    : [];
  return { ...fallback, ...Object.fromEntries(said) };
}

function each(list: unknown, change: (item: Json) => Json): unknown {
  return Array.isArray(list) ? list.map((item) => (isObject(item) ? change(item) : item)) : list;
}

/** `object` with `field` changed where it is there. */
function within(object: Json, field: string, change: (value: Json) => Json): Json {
  const value = object[field];
  return isObject(value) ? { ...object, [field]: change(value) } : object;
}

/** What upstream fills into the spec of a pod or of a pod's template. */
export function withPodDefaults(spec: Json): Json {
  const complete = orElse(spec, {
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    schedulerName: 'default-scheduler',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
  });
  const account = complete['serviceAccountName'] || complete['serviceAccount'];
  const lists: Json = {};
  for (const field of ['containers', 'initContainers', 'ephemeralContainers']) {
    if (complete[field] !== undefined) lists[field] = each(complete[field], withContainerDefaults);
  }
  if (complete['volumes'] !== undefined) lists['volumes'] = each(complete['volumes'], withVolumeDefaults);
  return {
    ...complete,
    ...lists,
    ...(account ? { serviceAccount: account, serviceAccountName: account } : {}),
  };
}

function withContainerDefaults(container: Json): Json {
  const image = textOf(container['image']);
  const tag = /:([^/:]+)$/.exec(image.split('@')[0]!)?.[1];
  const latest = !image.includes('@') && (tag === undefined || tag === 'latest');
  let complete = orElse(container, {
    imagePullPolicy: latest ? 'Always' : 'IfNotPresent',
    resources: {},
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
  });
  for (const probe of ['livenessProbe', 'readinessProbe', 'startupProbe']) {
    complete = within(complete, probe, withProbeDefaults);
  }
  const ports = each(complete['ports'], (port) => orElse(port, { protocol: 'TCP' }));
  const env = each(complete['env'], (variable) =>
    within(variable, 'valueFrom', (source) =>
      within(source, 'fieldRef', (reference) => orElse(reference, { apiVersion: 'v1' })),
    ),
  );
  return { ...complete, ...(ports === undefined ? {} : { ports }), ...(env === undefined ? {} : { env }) };
}

function withProbeDefaults(probe: Json): Json {
  const complete = orElse(probe, {
    failureThreshold: 3,
    periodSeconds: 10,
    successThreshold: 1,
    timeoutSeconds: 1,
  });
  return within(complete, 'httpGet', (request) => orElse(request, { path: '/', scheme: 'HTTP' }));
}

function withVolumeDefaults(volume: Json): Json {
  const { name, ...sources } = volume;
  if (Object.keys(sources).length === 0) return { name, emptyDir: {} };
  let complete = volume;
  for (const source of ['secret', 'configMap', 'downwardAPI', 'projected']) {
    complete = within(complete, source, (value) => orElse(value, { defaultMode: 0o644 }));
  }
  complete = within(complete, 'hostPath', (value) => orElse(value, { type: '' }));
  return within(complete, 'projected', (projected) => ({
    ...projected,
    sources: each(projected['sources'], (source) =>
      within(source, 'serviceAccountToken', (token) => orElse(token, { expirationSeconds: 3600 })),
    ),
  }));
}

/** What is wrong with the containers of a pod; the rest of its spec is for the kubelet, which is not here. */
export function podSpecErrors(spec: Json, at: string): FieldError[] {
  const containers = (spec['containers'] ?? []) as Json[];
  const errors = containers.length === 0 ? [required(`${at}.containers`)] : [];
  const seen = new Set<string>();
  for (const field of ['initContainers', 'containers']) {
    for (const [index, container] of ((spec[field] ?? []) as Json[]).entries()) {
      const place = `${at}.${field}[${index}]`;
      const name = textOf(container['name']);
      if (name === '') errors.push(required(`${place}.name`));
      else errors.push(...dns1123Label(name).map((problem) => invalid(`${place}.name`, name, problem)));
      if (seen.has(name)) errors.push(duplicate(`${place}.name`, name));
      seen.add(name);
      if (!container['image']) errors.push(required(`${place}.image`));
    }
  }
  return errors;
}
