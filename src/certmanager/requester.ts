import { refusedFor } from '../kube/api-fault.ts';
import type { KubeClient } from '../kube/kube-client.ts';

/** Who asks for a certificate, as a CertificateRequest says it. */
export interface Requester {
  username?: string;
  uid?: string;
  groups?: string[];
  extra?: Record<string, string[]>;
}

/**
 * Who these controllers are to the API server. Upstream's webhook stamps every CertificateRequest with its creator,
 * and approvers judge by that (approver-policy asks what the user may). Where no webhook runs, whoever creates a
 * request is the only one who can say it; where one does, it overwrites this with the same. A server that does not
 * answer such questions, or not to us, leaves the request without a name.
 *
 * @throws Fault `kube.*`, `wire.request.*` where another attempt may succeed
 */
export async function whoAsks(kube: KubeClient): Promise<Requester> {
  try {
    const review = await kube.ask<{ status?: { userInfo?: Requester } }>(
      '/apis/authentication.k8s.io/v1/selfsubjectreviews',
      { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' },
    );
    const { username, uid, groups, extra } = review.status?.userInfo ?? {};
    return {
      ...(username ? { username } : {}),
      ...(uid ? { uid } : {}),
      ...(groups?.length ? { groups } : {}),
      ...(extra && Object.keys(extra).length > 0 ? { extra } : {}),
    };
  } catch (error) {
    const unanswered = ['not-found', 'forbidden', 'method-not-allowed'];
    if (unanswered.some((reason) => refusedFor(error, reason))) return {};
    throw error;
  }
}
