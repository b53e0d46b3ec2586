import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { Clock } from '../base/clock.ts';
import { secondMs } from '../base/duration.ts';
import { type Entropy, uuid } from '../base/entropy.ts';
import type { UserInfo } from './authorization.ts';
import type { ObjectStore } from './object-store.ts';

/** The issuer of service-account tokens, and the audience of tokens for this API itself. */
export const tokenIssuer = 'https://kubernetes.default.svc.cluster.local';

/** The object that a token dies with, besides its service account. */
export interface BoundObject {
  kind: 'Pod' | 'Secret' | 'Node';
  name: string;
  uid: string;
}

export interface TokenSpec {
  namespace: string;
  serviceAccount: { name: string; uid: string };
  audiences: readonly string[];
  lifetimeMs: number;
  bound?: BoundObject;
}

export type TokenCheck =
  | { valid: true; user: UserInfo; audiences: readonly string[] }
  | { valid: false; reason: string };

interface Claims {
  aud: string[];
  exp: number;
  iat: number;
  iss: string;
  jti: string;
  nbf: number;
  sub: string;
  'kubernetes.io': {
    namespace: string;
    serviceaccount: { name: string; uid: string };
    pod?: { name: string; uid: string };
    secret?: { name: string; uid: string };
    node?: { name: string; uid: string };
  };
}

/** Issues and judges service-account tokens: JWTs (RFC 7519) signed with ES256 by the cluster's own key. */
export class Tokens {
  readonly #key: KeyObject;
  readonly #publicKey: KeyObject;
  readonly #keyId: string;
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  readonly #objects: ObjectStore;

  /** @param key a P-256 private key, PKCS#8 PEM */
  constructor({
    key,
    clock,
    entropy,
    objects,
  }: { key: string; clock: Clock; entropy: Entropy; objects: ObjectStore }) {
    this.#key = createPrivateKey(key);
    this.#publicKey = createPublicKey(this.#key);
    const der = this.#publicKey.export({ type: 'spki', format: 'der' });
    this.#keyId = createHash('sha256').update(der).digest('base64url');
    this.#clock = clock;
    this.#entropy = entropy;
    this.#objects = objects;
  }

  issue({ namespace, serviceAccount, audiences, lifetimeMs, bound }: TokenSpec): {
    token: string;
    expiresMs: number;
  } {
    const now = Math.floor(this.#clock.now() / secondMs);
    const exp = now + Math.floor(lifetimeMs / secondMs);
    const claims: Claims = {
      aud: [...audiences],
      exp,
      iat: now,
      iss: tokenIssuer,
      jti: uuid(this.#entropy),
      'kubernetes.io': {
        namespace,
        ...(bound ? { [bound.kind.toLowerCase()]: { name: bound.name, uid: bound.uid } } : {}),
        serviceaccount: serviceAccount,
      },
      nbf: now,
      sub: `system:serviceaccount:${namespace}:${serviceAccount.name}`,
    };
    const signed = `${encode({ alg: 'ES256', kid: this.#keyId })}.${encode(claims)}`;
    const signature = sign('sha256', Buffer.from(signed), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return { token: `${signed}.${signature.toString('base64url')}`, expiresMs: exp * secondMs };
  }

  /**
   * Whether `token` is one of ours, in its time, for one of `audiences`, and its account (and what it is bound to)
   * still exists as the same object. The reasons never repeat the token.
   */
  check(token: string, audiences: readonly string[] = [tokenIssuer]): TokenCheck {
    const claims = this.#verified(token);
    if (!claims) return { valid: false, reason: 'invalid bearer token' };
    const now = this.#clock.now() / secondMs;
    if (now >= claims.exp) return { valid: false, reason: 'service account token has expired' };
    if (now < claims.nbf - 1) return { valid: false, reason: 'service account token is not valid yet' };
    const shared = audiences.filter((audience) => claims.aud.includes(audience));
    if (shared.length === 0) {
      const wanted = audiences.map((audience) => JSON.stringify(audience)).join(' ');
      return { valid: false, reason: `token audiences are invalid for the target audiences [${wanted}]` };
    }
    const missing = this.#missing(claims['kubernetes.io']);
    if (missing) return { valid: false, reason: missing };
    return { valid: true, user: userOf(claims), audiences: shared };
  }

  #verified(token: string): Claims | undefined {
    const parts = /^([\w-]+)\.([\w-]+)\.([\w-]+)$/.exec(token);
    if (!parts || token.length > 8_192) return undefined;
    const [, head, body, signature] = parts as unknown as [string, string, string, string];
    const header = decode(head) as { alg?: unknown; kid?: unknown } | undefined;
    if (header?.alg !== 'ES256' || header.kid !== this.#keyId) return undefined;
    const key = { key: this.#publicKey, dsaEncoding: 'ieee-p1363' as const };
    if (!verify('sha256', Buffer.from(`${head}.${body}`), key, Buffer.from(signature, 'base64url')))
      return undefined;
    const claims = decode(body) as Claims | undefined;
    return claims?.iss === tokenIssuer ? claims : undefined;
  }

  #missing({ namespace, serviceaccount, pod, secret, node }: Claims['kubernetes.io']): string | undefined {
    const has = (plural: string, key: string, uid: string) => {
      const stored = this.#objects.cache({ group: '', plural }).get(key);
      return stored?.uid === uid && !stored.deleting;
    };
    if (!has('serviceaccounts', `${namespace}/${serviceaccount.name}`, serviceaccount.uid)) {
      return 'service account token has been invalidated';
    }
    if (pod && !has('pods', `${namespace}/${pod.name}`, pod.uid))
      return 'service account token has been invalidated';
    if (secret && !has('secrets', `${namespace}/${secret.name}`, secret.uid)) {
      return 'service account token has been invalidated';
    }
    if (node && !pod && !has('nodes', node.name, node.uid))
      return 'service account token has been invalidated';
    return undefined;
  }

  /** RFC 7517: what others verify our tokens with. */
  keySet(): unknown {
    const { kty, crv, x, y } = this.#publicKey.export({ format: 'jwk' });
    return { keys: [{ use: 'sig', kty, kid: this.#keyId, crv, alg: 'ES256', x, y }] };
  }

  /** OpenID Connect discovery, section 3, as Kubernetes answers it. */
  discovery(): unknown {
    return {
      issuer: tokenIssuer,
      jwks_uri: `${tokenIssuer}/openid/v1/jwks`,
      response_types_supported: ['id_token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    };
  }
}

export function serviceAccountGroups(namespace: string): string[] {
  return ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'];
}

function userOf({ sub, jti, 'kubernetes.io': { namespace, serviceaccount, pod, node } }: Claims): UserInfo {
  const prefix = 'authentication.kubernetes.io';
  return {
    username: sub,
    uid: serviceaccount.uid,
    groups: serviceAccountGroups(namespace),
    extra: {
      [`${prefix}/credential-id`]: [`JTI=${jti}`],
      ...(node ? { [`${prefix}/node-name`]: [node.name], [`${prefix}/node-uid`]: [node.uid] } : {}),
      ...(pod ? { [`${prefix}/pod-name`]: [pod.name], [`${prefix}/pod-uid`]: [pod.uid] } : {}),
    },
  };
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString());
  } catch {
    return undefined;
  }
}
