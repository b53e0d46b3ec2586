import type { NewToken } from './token.ts';

/** A root token as it is made at `nowMs` where nobody has one yet, or any more: it never ends. */
export function rootTokenPlan(nowMs: number): NewToken {
  return {
    type: 'service',
    policies: ['root'],
    path: 'auth/token/root',
    meta: null,
    displayName: 'root',
    numUses: 0,
    createdMs: Math.floor(nowMs / 1_000) * 1_000,
    ttlMs: 0,
    explicitMaxTtlMs: 0,
    periodMs: 0,
    renewable: false,
  };
}
