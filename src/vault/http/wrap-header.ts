import { describeError, Fault } from '../../base/fault.ts';
import { invalidRequest } from '../faults.ts';
import { durationMs } from '../routing/coerce.ts';
import { type HttpParts, single } from './read-request.ts';

/**
 * For how long the client wants the answer wrapped, in milliseconds; 0 for not at all.
 *
 * @throws Fault `vault.request.invalid`
 */
export function readWrapTtl(headers: HttpParts['headers']): number {
  const text = single(headers['x-vault-wrap-ttl']) ?? '';
  if (text === '') return 0;
  const refuse = (why: string) => invalidRequest(`error parsing X-Vault-Wrap-TTL header: ${why}`);
  let ms: number;
  try {
    ms = Math.trunc(durationMs(text) / 1_000) * 1_000;
  } catch (error) {
    throw refuse(error instanceof Fault ? error.message : describeError(error));
  }
  if (ms < 0) throw refuse('requested wrap ttl cannot be negative');
  if (ms > 0 && single(headers['x-vault-wrap-format']) === 'jwt') {
    throw invalidRequest(
      'wrapping tokens in the format jwt are not supported: leave X-Vault-Wrap-Format out',
    );
  }
  return ms;
}
