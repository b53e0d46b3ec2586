import { afterAll, beforeAll, describe } from 'vitest';
import { seededEntropy } from '../../src/base/entropy.ts';
import { encryptedStore } from '../../src/store/encrypted.ts';
import { postgresStore } from '../../src/store/postgres.ts';
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { storeContract } from './store.ts';

describe.skipIf(postgresMissing)(postgresMissing ?? 'on a PostgreSQL server', () => {
  let server: TestPostgres;
  let count = 0;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());
  const open = () => postgresStore({ url: server.url, schema: `store_${count++}` });

  storeContract('postgres', open);
  storeContract('encrypted over postgres', async () =>
    encryptedStore(await open(), Buffer.alloc(32, 7), seededEntropy('c')),
  );
});
