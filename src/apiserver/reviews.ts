import { minuteMs, secondMs } from '../base/duration.ts';
import { type ApiObject, rfc3339 } from './api-object.ts';
import type { Attributes, Authorizer, UserInfo } from './authorization.ts';
import type { ObjectStore } from './object-store.ts';
import type { FieldError } from './schema/field-error.ts';
import { badRequest, conflict, invalid, notFound } from './status-errors.ts';
import { type BoundObject, type Tokens, tokenIssuer } from './tokens.ts';

/** What answering a review needs to know. */
export interface ReviewContext {
  user: UserInfo;
  authorizer: Authorizer;
  tokens: Tokens;
  /** Of the URL, for the namespaced kind. */
  namespace?: string;
}

type Spec = Record<string, unknown>;

/** Kinds that are answered and never stored, by group and plural. */
const answers: Readonly<Record<string, (spec: Spec, context: ReviewContext) => Record<string, unknown>>> = {
  'authentication.k8s.io/selfsubjectreviews': (_spec, { user }) => ({ status: { userInfo: user } }),
  'authentication.k8s.io/tokenreviews': reviewToken,
  'authorization.k8s.io/selfsubjectaccessreviews': (spec, { user, authorizer }) => ({
    status: decide(authorizer, user, spec),
  }),
  'authorization.k8s.io/subjectaccessreviews': reviewSubject,
  'authorization.k8s.io/localsubjectaccessreviews': reviewSubject,
  'authorization.k8s.io/selfsubjectrulesreviews': reviewRules,
};

/** @throws StatusFault Invalid, BadRequest */
export function answerReview(
  resource: string,
  review: ApiObject,
  context: ReviewContext,
): ApiObject | undefined {
  const answer = answers[resource];
  if (!answer) return undefined;
  const metadata = { creationTimestamp: null, ...review.metadata };
  return { ...review, metadata, ...answer((review['spec'] ?? {}) as Spec, context) } as unknown as ApiObject;
}

function reviewToken(spec: Spec, { tokens }: ReviewContext): Record<string, unknown> {
  const token = spec['token'];
  if (typeof token !== 'string' || token === '')
    throw badRequest('token is required for TokenReview in authentication');
  const audiences = (spec['audiences'] as string[] | undefined) ?? [];
  const check = tokens.check(token, audiences.length > 0 ? audiences : [tokenIssuer]);
  if (!check.valid) return { status: { user: {}, error: `[invalid bearer token, ${check.reason}]` } };
  return { status: { authenticated: true, user: check.user, audiences: check.audiences } };
}

function reviewSubject(spec: Spec, { authorizer }: ReviewContext): Record<string, unknown> {
  const username = typeof spec['user'] === 'string' ? spec['user'] : '';
  const groups = (spec['groups'] as string[] | undefined) ?? [];
  if (username === '' && groups.length === 0) {
    throw reviewInvalid('SubjectAccessReview', [
      {
        field: 'spec.user',
        type: 'FieldValueRequired',
        message: 'Required value: at least one of user or group must be specified',
      },
    ]);
  }
  return { status: decide(authorizer, { username, groups }, spec) };
}

function decide(authorizer: Authorizer, user: UserInfo, spec: Spec): Record<string, unknown> {
  const { allowed, reason } = authorizer.authorize(user, reviewedAttributes(spec));
  return { allowed, ...(reason ? { reason } : {}) };
}

function reviewedAttributes(spec: Spec): Attributes {
  const resource = spec['resourceAttributes'] as Record<string, string> | undefined;
  const path = spec['nonResourceAttributes'] as Record<string, string> | undefined;
  if ((resource === undefined) === (path === undefined)) {
    throw reviewInvalid('SubjectAccessReview', [
      {
        field: 'spec.resourceAttributes',
        type: 'FieldValueInvalid',
        message:
          'Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified',
      },
    ]);
  }
  if (path) return { verb: path['verb'] ?? '', path: path['path'] ?? '' };
  const {
    verb = '',
    group = '',
    version = '',
    resource: plural = '',
    subresource,
    namespace,
    name,
  } = resource!;
  return {
    verb,
    group,
    version,
    plural,
    ...(subresource ? { subresource } : {}),
    ...(namespace ? { namespace } : {}),
    ...(name ? { name } : {}),
  };
}

function reviewRules(spec: Spec, { user, authorizer }: ReviewContext): Record<string, unknown> {
  const namespace = spec['namespace'];
  if (typeof namespace !== 'string' || namespace === '') throw badRequest('no namespace on request');
  const rules = authorizer.rules(user, namespace);
  return {
    status: {
      resourceRules: rules.filter(({ resources }) => resources),
      nonResourceRules: rules.filter(({ nonResourceURLs }) => nonResourceURLs),
      incomplete: false,
    },
  };
}

function reviewInvalid(kind: string, fields: readonly FieldError[]) {
  return invalid({ group: 'authorization.k8s.io', kind, name: '' }, fields);
}

const defaultLifetimeSeconds = 3_600;
const shortestLifetimeSeconds = (10 * minuteMs) / secondMs;
const longestLifetimeSeconds = 2 ** 32;

/**
 * POST on a service account's `token`: the request, with its token in the status.
 *
 * @throws StatusFault Invalid, NotFound (of the object to bind to), Conflict (it is another one by now)
 */
export function answerTokenRequest(
  request: ApiObject,
  account: { namespace: string; name: string; uid: string },
  { tokens, objects }: { tokens: Tokens; objects: ObjectStore },
): ApiObject {
  const spec = (request['spec'] ?? {}) as Spec;
  const seconds = Number(spec['expirationSeconds'] ?? defaultLifetimeSeconds);
  checkLifetime(seconds);
  const asked = (spec['audiences'] as string[] | null | undefined) ?? [];
  const audiences = asked.length > 0 ? asked : [tokenIssuer];
  const bound = boundObject(spec['boundObjectRef'], account.namespace, objects);
  const { token, expiresMs } = tokens.issue({
    namespace: account.namespace,
    serviceAccount: { name: account.name, uid: account.uid },
    audiences,
    lifetimeMs: seconds * secondMs,
    ...(bound ? { bound } : {}),
  });
  return {
    ...request,
    metadata: { ...request.metadata, name: account.name, namespace: account.namespace },
    spec: { ...spec, audiences, expirationSeconds: seconds },
    status: { token, expirationTimestamp: rfc3339(expiresMs) },
  };
}

function checkLifetime(seconds: number): void {
  const wrong = (why: string) =>
    invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest', name: '' }, [
      {
        field: 'spec.expirationSeconds',
        type: 'FieldValueInvalid',
        message: `Invalid value: ${seconds}: ${why}`,
      },
    ]);
  if (!(seconds >= shortestLifetimeSeconds)) throw wrong('may not specify a duration less than 10 minutes');
  if (seconds > longestLifetimeSeconds) throw wrong('may not specify a duration larger than 2^32 seconds');
}

function boundObject(reference: unknown, namespace: string, objects: ObjectStore): BoundObject | undefined {
  if (typeof reference !== 'object' || reference === null) return undefined;
  const { kind, apiVersion, name = '', uid } = reference as Record<string, string>;
  if (apiVersion !== 'v1' || (kind !== 'Pod' && kind !== 'Secret' && kind !== 'Node')) {
    throw badRequest(`cannot bind token to object of type ${apiVersion}, Kind=${kind}`);
  }
  const resource = { group: '', plural: `${kind.toLowerCase()}s` };
  const stored = objects.cache(resource).get(kind === 'Node' ? name : `${namespace}/${name}`);
  if (!stored) throw notFound(resource, name);
  if (uid && uid !== stored.uid) {
    const why = `the UID in the bound object reference (${uid}) does not match the UID in record. The object might have been deleted and then recreated`;
    throw conflict(resource, name, why);
  }
  return { kind, name, uid: stored.uid };
}
