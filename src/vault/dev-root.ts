import type { Clock } from '../base/clock.ts';
import type { Store } from '../store/store.ts';
import type { Tokens } from './token/tokens.ts';

const recordKey = 'core/dev-root';

/**
 * Makes `id` a root token that never ends, as Vault's dev mode does. On a store that lived before, a root token of an
 * earlier start under another name is revoked: whoever starts the server says which one is good.
 */
export async function ensureDevRoot(store: Store, tokens: Tokens, clock: Clock, id: string): Promise<void> {
  const entry = await store.get(recordKey);
  const before = entry && (JSON.parse(entry.value.toString()) as { name: string }).name;
  const present = await tokens.lookup(id);
  const { name } = present?.token ?? (await create(tokens, clock, id));
  if (before === name) return;
  await store.commit({ puts: [{ key: recordKey, value: Buffer.from(JSON.stringify({ name })) }] });
  if (before !== undefined) await tokens.revoke(before);
}

async function create(tokens: Tokens, clock: Clock, id: string) {
  const { token } = await tokens.create(
    {
      policies: ['root'],
      path: 'auth/token/create',
      meta: null,
      displayName: 'token',
      numUses: 0,
      createdMs: Math.floor(clock.now() / 1_000) * 1_000,
      ttlMs: 0,
      explicitMaxTtlMs: 0,
      periodMs: 0,
      renewable: false,
    },
    id,
  );
  return token;
}
