import { describeError, Fault } from '../base/fault.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import type { TokenFacts } from './certify.ts';

/** The audience of the tokens that Linkerd's injector projects for identity. */
export const identityAudience = 'identity.l5d.io';

const reviewsPath = '/apis/authentication.k8s.io/v1/tokenreviews';
const accessPath = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';

interface TokenReview {
  status?: { authenticated?: boolean; error?: string; user?: { username?: string } };
}

/** Reviews under way at once: a thousand proxies that start together must not open a thousand connections. */
const reviewsAtOnce = 64;

/** `reviewToken` against one API, so many at once; the rest wait in the order they came. */
export function tokenReviewer(
  kube: KubeClient,
  atOnce = reviewsAtOnce,
): (token: string) => Promise<TokenFacts> {
  let free = atOnce;
  const waiting: (() => void)[] = [];
  return async (token) => {
    if (free > 0) free--;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await reviewToken(kube, token);
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free++;
    }
  };
}

/**
 * What the API says of a token for `identity.l5d.io`. Where it complains of token audiences, it is asked again
 * without: a server that knows of none would otherwise shut the mesh out.
 */
export async function reviewToken(kube: KubeClient, token: string): Promise<TokenFacts> {
  try {
    let status = await review(kube, token, [identityAudience]);
    if (status.error?.includes('token audiences')) status = await review(kube, token, []);
    if (status.error) return { verdict: 'invalid', message: status.error };
    if (!status.authenticated) return { verdict: 'unauthenticated' };
    return { verdict: 'authenticated', username: status.user?.username ?? '' };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return { verdict: 'failed', message: describeError(error) };
  }
}

async function review(
  kube: KubeClient,
  token: string,
  audiences: readonly string[],
): Promise<NonNullable<TokenReview['status']>> {
  const answer = await kube.ask<TokenReview>(reviewsPath, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenReview',
    spec: { token, audiences },
  });
  return answer.status ?? {};
}

/**
 * Makes sure that tokens may be reviewed at all: better to end at the start than to refuse every proxy later.
 *
 * @throws Fault `identity.access`, or what the API client throws
 */
export async function checkAccess(kube: KubeClient): Promise<void> {
  const { status } = await kube.ask<{ status?: { allowed?: boolean; reason?: string } }>(accessPath, {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: {
      resourceAttributes: {
        group: 'authentication.k8s.io',
        version: 'v1',
        resource: 'tokenreviews',
        verb: 'create',
      },
    },
  });
  if (status?.allowed) return;
  const why = status?.reason ? `: ${status.reason}` : '';
  throw new Fault(`unable to create Kubernetes token reviews${why}`, {
    code: 'identity.access',
    blame: 'operator',
    fix: 'bind the identity service account to the cluster role system:auth-delegator or one like it',
  });
}
