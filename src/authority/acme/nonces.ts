import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Clock } from '../../base/clock.ts';
import { hourMs } from '../../base/duration.ts';
import type { Entropy } from '../../base/entropy.ts';
import { Fault } from '../../base/fault.ts';
import type { Batch, Store } from '../../store/store.ts';
import { Problem } from './problem.ts';

/**
 * Anti-replay nonces (RFC 8555 section 6.5). Handing one out writes nothing: it is its time and some random bytes
 * under a MAC whose key all nodes share in the store, so any node takes any node's, also after a restart. Taking one
 * writes its name, on the condition that nobody has: so it is good once, whichever nodes it is shown to. Names are
 * kept by the hour in which their nonces were made; a nonce is good for that hour and the next, and older names go.
 */
export interface Nonces {
  make(): Promise<string>;
  /** @throws Problem `badNonce` */
  take(nonce: string): Promise<void>;
}

const slotMs = hourMs;
const randomBytes = 12;
const slotBytes = 4;
const macBytes = 16;
/** How many old names one taking removes at most: more than it adds, so that they come to an end. */
const sweepSize = 50;

export interface NoncesOptions {
  store: Pick<Store, 'get' | 'list'>;
  /** Everything is kept below it. */
  prefix: string;
  clock: Clock;
  entropy: Entropy;
  commit: (batch: Batch) => Promise<unknown>;
}

export function storedNonces(options: NoncesOptions): Nonces {
  const { store, prefix, clock, entropy, commit } = options;
  let secret: Promise<Buffer> | undefined;
  const below = `${prefix}nonce/`;
  const folder = (slot: number) => `${below}${String(slot).padStart(10, '0')}/`;
  const slotNow = () => Math.floor(clock.now() / slotMs);
  let sweptSlot = -1;

  async function mac(body: Buffer): Promise<Buffer> {
    secret ??= ensureSecret(options).catch((error: unknown) => {
      secret = undefined;
      throw error;
    });
    return createHmac('sha256', await secret)
      .update(body)
      .digest()
      .subarray(0, macBytes);
  }

  async function read(nonce: string): Promise<{ slot: number; name: string } | undefined> {
    const bytes = /^[\w-]{1,100}$/.test(nonce) ? Buffer.from(nonce, 'base64url') : Buffer.alloc(0);
    if (bytes.length !== slotBytes + randomBytes + macBytes || bytes.toString('base64url') !== nonce)
      return undefined;
    const body = bytes.subarray(0, slotBytes + randomBytes);
    if (!timingSafeEqual(await mac(body), bytes.subarray(body.length))) return undefined;
    return { slot: body.readUInt32BE(0), name: body.subarray(slotBytes).toString('hex') };
  }

  async function outdated(slot: number): Promise<string[]> {
    if (sweptSlot === slot) return [];
    const entries = await store.list({ prefix: below, limit: sweepSize });
    const old = entries.map(({ key }) => key).filter((key) => key < folder(slot - 1));
    if (old.length < sweepSize) sweptSlot = slot;
    return old;
  }

  return {
    async make() {
      const slot = Buffer.alloc(slotBytes);
      slot.writeUInt32BE(slotNow());
      const body = Buffer.concat([slot, entropy.bytes(randomBytes)]);
      return Buffer.concat([body, await mac(body)]).toString('base64url');
    },
    async take(nonce) {
      const known = await read(nonce);
      const slot = slotNow();
      if (!known) throw new Problem('badNonce', 'the nonce is none that was handed out here');
      if (known.slot !== slot && known.slot !== slot - 1)
        throw new Problem('badNonce', 'the nonce is too old');
      const key = folder(known.slot) + known.name;
      if (await store.get(key)) throw spent();
      const deletes = await outdated(slot);
      try {
        const puts = [{ key, value: Buffer.alloc(0) }];
        await commit({ expect: [{ key, revision: 0 }], puts, ...(deletes.length > 0 ? { deletes } : {}) });
      } catch (error) {
        if (error instanceof Fault && error.code === 'store.conflict' && (await store.get(key)))
          throw spent();
        throw error;
      }
    },
  };
}

function spent(): Problem {
  return new Problem('badNonce', 'the nonce has been used');
}

/** Made once, by whichever node comes first. */
async function ensureSecret({ store, prefix, entropy, commit }: NoncesOptions): Promise<Buffer> {
  const key = `${prefix}nonce-secret`;
  for (;;) {
    const found = await store.get(key);
    if (found) return found.value;
    try {
      await commit({ expect: [{ key, revision: 0 }], puts: [{ key, value: entropy.bytes(32) }] });
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'store.conflict') throw error;
    }
  }
}
