import { Fault } from '../base/fault.ts';

/** Where identities of one mesh live: `<name>.<namespace>.<type>.identity.<controlNamespace>.<trustDomain>`. */
export interface IdentityDomain {
  /** The namespace of the control plane: `linkerd`. */
  controlNamespace: string;
  /** `cluster.local` */
  trustDomain: string;
}

/** Whom Kubernetes says a token belongs to: `system:serviceaccount:<namespace>:<name>`, taken apart. */
export interface TokenUser {
  /** `serviceaccount` */
  type: string;
  namespace: string;
  name: string;
}

/** The DNS-form name of a workload in Linkerd's mesh. Parts are DNS-1123 labels (see `isDnsLabel`). */
export function identityName({ controlNamespace, trustDomain }: IdentityDomain, user: TokenUser): string {
  return `${user.name}.${user.namespace}.${user.type}.identity.${controlNamespace}.${trustDomain}`;
}

/** The name under which the identity service itself is met: what proxies call `LINKERD2_PROXY_IDENTITY_SVC_NAME`. */
export function identityServiceName(domain: IdentityDomain): string {
  const namespace = domain.controlNamespace;
  return identityName(domain, { type: 'serviceaccount', namespace, name: 'linkerd-identity' });
}

/** RFC 1123 label as Kubernetes checks it. */
export function isDnsLabel(text: string): boolean {
  return /^[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?$/.test(text);
}

/** @throws Fault `identity.domain` where a part could not stand in a DNS name */
export function checkIdentityDomain({ controlNamespace, trustDomain }: IdentityDomain): void {
  if (!isDnsLabel(controlNamespace)) throw invalid('control namespace', controlNamespace, 'one DNS label');
  if (trustDomain.length > 253 || !trustDomain.split('.').every(isDnsLabel)) {
    throw invalid('trust domain', trustDomain, 'DNS labels with dots between them');
  }
}

function invalid(what: string, value: string, form: string): Fault {
  return new Fault(`${JSON.stringify(value)} is no ${what}`, {
    code: 'identity.domain',
    blame: 'operator',
    fix: `give ${form}, in lower case`,
  });
}
