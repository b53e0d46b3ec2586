// One node of many on a PostgreSQL database: argv[2] its address, argv[3] the schema, argv[4] its name, argv[5] how
// many commits it has under way at once. Counts up one shared counter without end, and prints each acknowledged
// commit: "<name>-<lane>-<n> <revision> <count>".
import { SecretText } from '../../src/base/secret.ts';
import { postgresStore } from '../../src/store/postgres.ts';

const [url, schema, name, lanes] = process.argv.slice(2);
const store = await postgresStore({ url: new SecretText(url!), schema: schema! });

async function count(lane: number): Promise<never> {
  for (let n = 0; ; n++) {
    const counter = await store.get('counter');
    const next = Number(counter?.value ?? 0) + 1;
    const commit = `${name}-${lane}-${n}`;
    try {
      const revision = await store.commit({
        expect: [{ key: 'counter', revision: counter?.revision ?? 0 }],
        puts: [
          { key: 'counter', value: Buffer.from(`${next}`) },
          { key: `first/${commit}`, value: Buffer.from(`${next}`) },
          { key: `second/${commit}`, value: Buffer.from(`${next}`) },
        ],
      });
      process.stdout.write(`${commit} ${revision} ${next}\n`);
    } catch (error) {
      if ((error as { code?: string }).code !== 'store.conflict') throw error;
    }
  }
}

await Promise.all(Array.from({ length: Number(lanes) }, (_, lane) => count(lane)));
