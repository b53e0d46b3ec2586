import type { PolicyRule } from './authorization.ts';

/** Rules that hold without a binding. */
export interface Grant {
  users?: readonly string[];
  groups?: readonly string[];
  /** Only in these namespaces; everywhere, and for cluster-scoped kinds, where absent. */
  namespaces?: readonly string[];
  rules: readonly PolicyRule[];
}

const read = ['get', 'list', 'watch'];
const write = ['create', 'delete', 'patch', 'update'];

/** What everyone may do: upstream's bootstrap policy, as far as it serves people. */
const everyone: readonly Grant[] = [
  {
    groups: ['system:masters'],
    rules: [
      { verbs: ['*'], apiGroups: ['*'], resources: ['*'] },
      { verbs: ['*'], nonResourceURLs: ['*'] },
    ],
  },
  {
    groups: ['system:authenticated'],
    rules: [
      {
        verbs: ['create'],
        apiGroups: ['authorization.k8s.io'],
        resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
      },
      { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['selfsubjectreviews'] },
      {
        verbs: ['get'],
        nonResourceURLs: [
          '/api',
          '/api/*',
          '/apis',
          '/apis/*',
          '/healthz',
          '/livez',
          '/openapi',
          '/openapi/*',
          '/readyz',
          '/version',
          '/version/',
        ],
      },
    ],
  },
  {
    groups: ['system:serviceaccounts'],
    rules: [{ verbs: ['get'], nonResourceURLs: ['/.well-known/openid-configuration', '/openid/v1/jwks'] }],
  },
];

const events: PolicyRule = {
  verbs: ['create', 'patch', 'update'],
  apiGroups: ['', 'events.k8s.io'],
  resources: ['events'],
};
const leases: PolicyRule = {
  verbs: [...read, ...write],
  apiGroups: ['coordination.k8s.io'],
  resources: ['leases'],
};

/** What the mesh's own controllers need, as the roles in their Helm charts have it. */
const controllers: readonly Grant[] = [
  {
    users: ['system:serviceaccount:cert-manager:cert-manager'],
    rules: [
      {
        verbs: [...read, ...write, 'deletecollection'],
        apiGroups: ['cert-manager.io', 'acme.cert-manager.io'],
        resources: ['*'],
      },
      { verbs: ['approve'], apiGroups: ['cert-manager.io'], resources: ['signers'] },
      { verbs: [...read, ...write], apiGroups: [''], resources: ['secrets'] },
      {
        verbs: read,
        apiGroups: [''],
        resources: ['configmaps', 'namespaces', 'pods', 'serviceaccounts', 'services'],
      },
      { verbs: ['create'], apiGroups: [''], resources: ['serviceaccounts/token'] },
      { verbs: ['create'], apiGroups: ['authorization.k8s.io'], resources: ['subjectaccessreviews'] },
      events,
      leases,
    ],
  },
  {
    users: ['system:serviceaccount:cert-manager:trust-manager'],
    rules: [
      { verbs: read, apiGroups: ['trust.cert-manager.io'], resources: ['bundles'] },
      { verbs: ['patch', 'update'], apiGroups: ['trust.cert-manager.io'], resources: ['bundles/status'] },
      { verbs: ['update'], apiGroups: ['trust.cert-manager.io'], resources: ['bundles/finalizers'] },
      { verbs: read, apiGroups: [''], resources: ['namespaces'] },
      { verbs: [...read, 'create', 'delete', 'patch'], apiGroups: [''], resources: ['configmaps'] },
      events,
      leases,
    ],
  },
  {
    users: ['system:serviceaccount:cert-manager:trust-manager'],
    namespaces: ['cert-manager', 'linkerd'],
    rules: [{ verbs: read, apiGroups: [''], resources: ['secrets'] }],
  },
  {
    users: ['system:serviceaccount:linkerd:linkerd-identity'],
    rules: [
      { verbs: ['create'], apiGroups: ['authentication.k8s.io'], resources: ['tokenreviews'] },
      { verbs: read, apiGroups: ['apps'], resources: ['deployments'] },
      events,
    ],
  },
  {
    users: ['system:serviceaccount:linkerd:linkerd-identity'],
    namespaces: ['linkerd'],
    rules: [{ verbs: read, apiGroups: [''], resources: ['configmaps', 'secrets'] }],
  },
];

/** The static rule table. */
export const builtInGrants: readonly Grant[] = [...everyone, ...controllers];
