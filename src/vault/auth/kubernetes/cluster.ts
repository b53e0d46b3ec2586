import { describeError, Fault } from '../../../base/fault.ts';
import type { HttpClient, HttpClientOptions } from '../../../wire/http-client.ts';
import { apiAddress, type KubernetesConfig } from './kubernetes-config.ts';
import type { PodFile } from './pod-file.ts';

/** A service account, as the cluster or its token tells of it. */
export interface ServiceAccount {
  namespace: string;
  name: string;
  uid: string;
}

/** What a login asks a cluster. Every refusal and failure is a Fault `vault.kubernetes`. */
export interface Cluster {
  /** Whose token it is, and that it is good for `audience`, if one is given. */
  review(token: string, audience: string): Promise<ServiceAccount>;
  namespaceLabels(namespace: string): Promise<Readonly<Record<string, string>>>;
}

export interface ClusterOptions {
  connect: (options: HttpClientOptions) => HttpClient;
  podFile: PodFile;
}

const timeoutMs = 30_000;

/** Keeps one connection pool for as long as the trust in the cluster stays what it is. */
export function clusters({
  connect,
  podFile,
}: ClusterOptions): (config: KubernetesConfig) => Promise<Cluster> {
  let pool: { ca: string; client: HttpClient } | undefined;
  return async (config) => {
    const local = async (name: 'ca.crt' | 'token') =>
      config.disable_local_ca_jwt ? '' : ((await podFile(name)) ?? '').trim();
    const ca = config.kubernetes_ca_cert || (await local('ca.crt'));
    if (pool?.ca !== ca) {
      pool?.client.close();
      pool = { ca, client: connect({ timeoutMs, ...(ca === '' ? {} : { ca }) }) };
    }
    const reviewer = config.token_reviewer_jwt || (await local('token'));
    return new HttpCluster(pool.client, { address: apiAddress(config), reviewer });
  };
}

interface TokenReviewStatus {
  authenticated?: boolean;
  error?: string;
  audiences?: readonly string[];
  user?: { username?: string; uid?: string };
}

class HttpCluster implements Cluster {
  readonly #client: HttpClient;
  readonly #address: URL;
  readonly #reviewer: string;

  constructor(client: HttpClient, { address, reviewer }: { address: URL; reviewer: string }) {
    this.#client = client;
    this.#address = address;
    this.#reviewer = reviewer;
  }

  async review(token: string, audience: string): Promise<ServiceAccount> {
    const { status } = await this.#ask<{ status?: TokenReviewStatus }>(this.#reviewer || token, {
      method: 'POST',
      path: 'apis/authentication.k8s.io/v1/tokenreviews',
      body: {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenReview',
        spec: { token, ...(audience === '' ? {} : { audiences: [audience] }) },
      },
    });
    return reviewed(status ?? {}, audience);
  }

  async namespaceLabels(namespace: string): Promise<Readonly<Record<string, string>>> {
    if (this.#reviewer === '') {
      throw refused(
        'namespace lookup failed: TokenReviewer JWT needs to be configured to use namespace selectors',
      );
    }
    const found = await this.#ask<{ metadata?: { labels?: Record<string, string> } }>(this.#reviewer, {
      method: 'GET',
      path: `api/v1/namespaces/${encodeURIComponent(namespace)}`,
    });
    return found.metadata?.labels ?? {};
  }

  async #ask<T>(
    bearer: string,
    { method, path, body }: { method: string; path: string; body?: unknown },
  ): Promise<T> {
    const headers = { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' };
    try {
      const answer = await this.#client.send({
        method,
        url: new URL(path, this.#address),
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      if (answer.status < 200 || answer.status > 206) {
        throw refused(`lookup failed: ${method} ${path} was answered ${answer.status}`);
      }
      return JSON.parse(answer.body.toString()) as T;
    } catch (error) {
      if (error instanceof Fault && error.code === 'vault.kubernetes') throw error;
      throw refused(`lookup failed: ${describeError(error)}`);
    }
  }
}

/** Who a review says that it is. @throws Fault `vault.kubernetes` */
export function reviewed(
  { authenticated, error, audiences = [], user }: TokenReviewStatus,
  audience: string,
): ServiceAccount {
  if (error) throw refused(`lookup failed: ${error}`);
  if (authenticated !== true) throw refused('lookup failed: service account jwt not valid');
  // A server that knows nothing of audiences tells of none.
  if (audience !== '' && !audiences.includes(audience)) {
    throw refused(
      `lookup failed: service account jwt valid for audience(s) [${audiences.join(' ')}], but wanted [${audience}]`,
    );
  }
  const parts = (user?.username ?? '').split(':');
  const [system, kind, namespace = '', name = ''] = parts;
  if (parts.length !== 4) throw refused('lookup failed: unexpected username format');
  if (system !== 'system' || kind !== 'serviceaccount') {
    throw refused('lookup failed: username returned is not a service account');
  }
  return { namespace, name, uid: user?.uid ?? '' };
}

function refused(message: string): Fault {
  return new Fault(message, { code: 'vault.kubernetes', blame: 'caller' });
}
