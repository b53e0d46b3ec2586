import { createHash } from 'node:crypto';
import type { HttpClient, HttpClientOptions } from '../wire/http-client.ts';
import type { HttpClientFactory } from './vault-client.ts';

const mostClients = 64;

/**
 * Clients by what they connect with, so that issuers keep their connections from one request to the next. The oldest
 * is closed when there are too many; keys are hashes, since what they stand for holds private keys.
 */
export function connectionPool(connect: HttpClientFactory): { connect: HttpClientFactory; close(): void } {
  const clients = new Map<string, HttpClient>();
  return {
    connect(options: HttpClientOptions) {
      const key = createHash('sha256').update(JSON.stringify(options)).digest('base64');
      const client = clients.get(key) ?? connect(options);
      clients.delete(key);
      clients.set(key, client);
      const [oldest] = clients;
      if (clients.size > mostClients && oldest) {
        clients.delete(oldest[0]);
        oldest[1].close();
      }
      return client;
    },
    close() {
      for (const client of clients.values()) client.close();
      clients.clear();
    },
  };
}
