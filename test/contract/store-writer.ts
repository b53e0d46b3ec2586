// Writes to the store at argv[2] without end, and prints the number of each batch once it is acknowledged.
import { embeddedStore } from '../../src/store/embedded.ts';

const store = embeddedStore({ path: process.argv[2]! });
const lanes = Number(process.argv[3]);

async function write(lane: number): Promise<never> {
  for (let n = 0; ; n++) {
    const value = Buffer.alloc(700, n);
    const name = `${lane}-${n}`;
    await store.commit({
      expect: [{ key: `first/${name}`, revision: 0 }],
      puts: [
        { key: `first/${name}`, value },
        { key: `second/${name}`, value },
      ],
    });
    process.stdout.write(`${name}\n`);
  }
}

await Promise.all(Array.from({ length: lanes }, (_, lane) => write(lane)));
