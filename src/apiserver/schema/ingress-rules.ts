import { isIP } from 'node:net';
import { type FieldError, invalid, notSupported, required } from './field-error.ts';
import { dns1123Subdomain } from './names.ts';
import { orElse } from './pod-rules.ts';
import { isObject, type Json, textOf } from './structural.ts';

const pathTypes = ['Exact', 'ImplementationSpecific', 'Prefix'];
/** What would be another path after a proxy has put it in its plainest form. */
const ambiguous = ['//', '/./', '/../', '%2f', '%2F'];
const ambiguousEnds = ['/..', '/.'];

/** What upstream refuses of an Ingress, as far as no other object is needed to know. */
export function ingressErrors(ingress: Json): FieldError[] {
  const spec = partOf(ingress['spec']);
  const rules = partsOf(spec['rules']);
  const { defaultBackend, ingressClassName } = spec;
  if (rules.length === 0 && defaultBackend === undefined)
    return [invalid('spec', null, 'either `defaultBackend` or `rules` must be specified')];
  return [
    ...(defaultBackend === undefined ? [] : backendErrors(partOf(defaultBackend), 'spec.defaultBackend')),
    ...rules.flatMap((rule, index) => ruleErrors(rule, `spec.rules[${index}]`)),
    ...(ingressClassName === undefined
      ? []
      : nameErrors(dns1123Subdomain, ingressClassName, 'spec.ingressClassName')),
  ];
}

function nameErrors(check: (name: string) => string[], name: unknown, at: string): FieldError[] {
  return check(textOf(name)).map((problem) => invalid(at, name, problem));
}

function ruleErrors({ host, http }: Json, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if (isIP(textOf(host)) > 0)
    errors.push(invalid(`${at}.host`, host, 'must be a DNS name, not an IP address'));
  if (host) errors.push(...nameErrors(dns1123Subdomain, textOf(host).replace(/^\*\./, ''), `${at}.host`));
  if (http === undefined) return errors;
  const paths = partsOf(partOf(http)['paths']);
  if (paths.length === 0) errors.push(required(`${at}.http.paths`));
  return [...errors, ...paths.flatMap((path, index) => pathErrors(path, `${at}.http.paths[${index}]`))];
}

function pathErrors({ path: given, pathType, backend }: Json, at: string): FieldError[] {
  if (pathType === undefined) return [required(`${at}.pathType`, 'pathType must be specified')];
  const path = textOf(given);
  const errors: FieldError[] = [];
  const complain = (problem: string) => errors.push(invalid(`${at}.path`, path, problem));
  const exact = pathType === 'Exact' || pathType === 'Prefix';
  if (!pathTypes.includes(textOf(pathType))) errors.push(notSupported(`${at}.pathType`, pathType, pathTypes));
  else if ((exact || path !== '') && !path.startsWith('/')) complain('must be an absolute path');
  if (exact) {
    for (const part of ambiguous) if (path.includes(part)) complain(`must not contain '${part}'`);
    for (const end of ambiguousEnds) if (path.endsWith(end)) complain(`cannot end with '${end}'`);
  }
  return [...errors, ...backendErrors(partOf(backend), `${at}.backend`)];
}

function backendErrors({ service, resource }: Json, at: string): FieldError[] {
  const refuse = (problem: string) => [invalid(at, '', problem)];
  if (resource !== undefined)
    return service === undefined ? [] : refuse('cannot set both resource and service backends');
  if (service === undefined) return refuse('resource or service backend is required');
  const { name, port } = partOf(service);
  const { name: portName, number } = partOf(port);
  const errors = name ? [] : [required(`${at}.service.name`)];
  if (portName && number) return [...errors, ...refuse('cannot set both port name & port number')];
  if (!portName && !number) return [...errors, required(at, 'port name or number is required')];
  if (typeof number === 'number' && (number < 0 || number > 65_535))
    errors.push(invalid(`${at}.service.port.number`, number, 'must be between 1 and 65535, inclusive'));
  return errors;
}

/** Its parameters are the cluster's, unless it says that a namespace holds them. */
export function withIngressClassDefaults(ingressClass: Json): Json {
  const spec = partOf(ingressClass['spec']);
  if (!isObject(spec['parameters'])) return ingressClass;
  return { ...ingressClass, spec: { ...spec, parameters: orElse(spec['parameters'], { scope: 'Cluster' }) } };
}

export function ingressClassErrors(ingressClass: Json, old?: Json): FieldError[] {
  const { controller } = partOf(ingressClass['spec']);
  if (!controller) return [required('spec.controller')];
  return old && partOf(old['spec'])['controller'] !== controller
    ? [invalid('spec.controller', controller, 'field is immutable')]
    : [];
}

function partOf(value: unknown): Json {
  return isObject(value) ? value : {};
}

function partsOf(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
