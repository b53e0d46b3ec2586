import { createCipheriv, createDecipheriv, createHmac, createSecretKey } from 'node:crypto';
import type { Entropy } from '../../base/entropy.ts';
import type { Token } from './token.ts';

/** What a batch token begins with, as Vault's do. */
export const batchPrefix = 'hvb.';

const cipher = 'aes-256-gcm';
/** Half of them choose the key, half are the cipher's nonce: drawn at random, they do not run out. */
const saltBytes = 12;
const nonceBytes = 12;
const tagBytes = 16;

/** A token but for its name, which is made of its text. */
export type HeldToken = Omit<Token, 'name'>;

/** Batch tokens: encrypted, they carry what a service token leaves in the store. */
export interface BatchTokens {
  seal(token: HeldToken): string;
  /** Undefined for what was not sealed here. */
  open(id: string): HeldToken | undefined;
}

/** Batch tokens under a `key` of 32 bytes: `hvb.` and base64url of salt, nonce, AES-256-GCM ciphertext and tag. */
export function batchTokens(key: Buffer, entropy: Entropy): BatchTokens {
  const master = createSecretKey(key);
  const keyFor = (salt: Buffer) => createHmac('sha256', master).update(salt).digest();
  return {
    seal(token) {
      const head = entropy.bytes(saltBytes + nonceBytes);
      const sealing = createCipheriv(cipher, keyFor(head.subarray(0, saltBytes)), head.subarray(saltBytes));
      const text = Buffer.concat([sealing.update(JSON.stringify(token)), sealing.final()]);
      return batchPrefix + Buffer.concat([head, text, sealing.getAuthTag()]).toString('base64url');
    },
    open(id) {
      const bytes = Buffer.from(id.slice(batchPrefix.length), 'base64url');
      const headEnd = saltBytes + nonceBytes;
      const tagAt = bytes.length - tagBytes;
      // What decodes to the same bytes is not the same token.
      if (tagAt < headEnd || id !== batchPrefix + bytes.toString('base64url')) return undefined;
      const nonce = bytes.subarray(saltBytes, headEnd);
      const opening = createDecipheriv(cipher, keyFor(bytes.subarray(0, saltBytes)), nonce);
      opening.setAuthTag(bytes.subarray(tagAt));
      try {
        const text = Buffer.concat([opening.update(bytes.subarray(headEnd, tagAt)), opening.final()]);
        return JSON.parse(text.toString()) as HeldToken;
      } catch {
        return undefined;
      }
    },
  };
}
