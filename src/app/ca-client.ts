import { Fault } from '../base/fault.ts';
import type { SecretText } from '../base/secret.ts';
import type { HttpClient } from '../wire/http-client.ts';

/** An answer of the CA as Vault's API gives it. */
export interface CaAnswer {
  data: Record<string, unknown>;
  auth?: Record<string, unknown>;
  warnings: readonly string[];
}

/** The CA over its public HTTP API, as any Vault client would use it. */
export interface CaClient {
  readonly address: string;
  /** Undefined where the CA answers 404. */
  read(path: string): Promise<CaAnswer | undefined>;
  write(path: string, body: Record<string, unknown>): Promise<CaAnswer>;
}

/**
 * @throws Fault `app.ca.unavailable` (sealed, starting, overloaded: worth another try), `app.ca.refused` with the
 *   CA's own words; `wire.request.*` where nothing answers.
 */
export function caClient(http: HttpClient, address: string, token: SecretText): CaClient {
  async function call(
    method: string,
    path: string,
    body?: Record<string, unknown>,
  ): Promise<CaAnswer | undefined> {
    const response = await http.send({
      method,
      url: `${address}/v1/${path}`,
      headers: { 'x-vault-token': token.reveal(), 'x-vault-request': 'true' },
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
    if (response.status === 404 && method === 'GET') return undefined;
    const answer = parse(response.body);
    if (response.status >= 400) {
      const words = Array.isArray(answer.errors) ? answer.errors.join('; ') : `status ${response.status}`;
      throw new Fault(`the CA refuses ${method} ${path}: ${words.trim()}`, {
        code: response.status >= 500 || response.status === 429 ? 'app.ca.unavailable' : 'app.ca.refused',
        blame: response.status >= 500 ? 'peer' : 'caller',
      });
    }
    return {
      data: (answer.data ?? {}) as Record<string, unknown>,
      ...(answer.auth ? { auth: answer.auth as Record<string, unknown> } : {}),
      warnings: (answer.warnings ?? []) as string[],
    };
  }
  return {
    address,
    read: (path) => call('GET', path),
    write: async (path, body) => (await call('PUT', path, body)) ?? { data: {}, warnings: [] },
  };
}

function parse(body: Buffer): Record<string, unknown> {
  if (body.length === 0) return {};
  try {
    return JSON.parse(body.toString('utf8')) as Record<string, unknown>;
  } catch (error) {
    throw new Fault('the CA answered something that is not JSON', {
      code: 'app.ca.unavailable',
      blame: 'peer',
      fix: 'look whether another program listens at its address',
      cause: error,
    });
  }
}
