import { createHmac, createSecretKey } from 'node:crypto';

/** What stands in an audit log for a text that may be secret. */
export type Mask = (text: string) => string;

/**
 * The mask of a device with `key`: HMAC-SHA256, so that whoever knows a value can find it in the log, and nobody
 * reads it there (Vault, "Audit devices: sensitive information").
 */
export function hmacMask(key: Uint8Array): Mask {
  // Prepared once: a request holds many texts.
  const prepared = createSecretKey(key);
  return (text) => `hmac-sha256:${createHmac('sha256', prepared).update(text).digest('hex')}`;
}

/** `maskTexts` of an object, but for its fields that `plain` names. */
export function maskFields(
  fields: Readonly<Record<string, unknown>>,
  mask: Mask,
  plain: readonly string[] = [],
): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name,
      plain.includes(name) ? value : maskTexts(value, mask),
    ]),
  );
}

/** `value` with every text in it masked; numbers, booleans and the names of fields stay. */
export function maskTexts(value: unknown, mask: Mask): unknown {
  if (typeof value === 'string') return mask(value);
  if (Buffer.isBuffer(value)) return mask(value.toString('latin1'));
  if (Array.isArray(value)) return value.map((item) => maskTexts(item, mask));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, maskTexts(item, mask)]));
}
