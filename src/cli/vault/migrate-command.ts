import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describeError, Fault } from '../../base/fault.ts';
import { configFault, readBlocks, refuseRest, stanza } from './config-blocks.ts';
import { Failure, misuse } from './failure.ts';
import { openStorage, readStorage, type StorageConfig, storageTypes } from './storage.ts';
import { type Call, expectArguments, type Subcommand } from './subcommand.ts';

export const operatorMigrate: Subcommand = {
  summary: 'Copy all data from one storage to another',
  usage: '-config=FILE',
  about: `Copies all that a server keeps, encrypted as it is, into a storage that is still empty; no server and no key is needed.
Stop the servers on the old storage first: what they would write meanwhile would be lost.

    $ cat migrate.hcl
    storage_source "file" {
      path = "/var/lib/capstan"
    }
    storage_destination "postgresql" {
      connection_url = "postgres://..."
    }
    $ capstan vault operator migrate -config=migrate.hcl`,
  flags: [{ name: 'config', kind: 'text', help: 'The file that says from where to where.' }],
  async run(call) {
    expectArguments(call, {});
    const path = call.flags.text('config');
    if (path === '') throw misuse('Must specify exactly one config path using -config');
    const plan = readPlan(call, path);
    try {
      await migrate(plan, call.context.cwd);
      call.terminal.line(`Success! All of the keys have been migrated.`);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      throw new Failure(2, `Error migrating: ${describeError(error)}`);
    }
    return 0;
  },
};

interface Plan {
  source: StorageConfig;
  destination: StorageConfig;
}

function readPlan({ context }: Call, path: string): Plan {
  try {
    const top = readBlocks(readFileSync(resolve(context.cwd, path), 'utf8'));
    const [source, destination] = ['storage_source', 'storage_destination'].map((name) =>
      readStorage(stanza(top, name, storageTypes), context.env),
    ) as [StorageConfig, StorageConfig];
    refuseRest(top);
    return { source, destination };
  } catch (error) {
    throw new Failure(1, `Error loading configuration from ${path}: ${describeError(error)}`);
  }
}

async function migrate({ source, destination }: Plan, folder: string): Promise<void> {
  // Opening one that is not there would make it.
  if ('path' in source && !existsSync(join(resolve(folder, source.path), 'store.db'))) {
    throw configFault(`storage_source: there is no data in ${source.path}`);
  }
  await using stores = new AsyncDisposableStack();
  const from = stores.adopt(await openStorage(source, folder), (store) => store.close());
  const to = stores.adopt(await openStorage(destination, folder), (store) => store.close());
  if ((await from.revision()) === 0) throw configFault('storage_source: there is no data in it');
  if ((await to.revision()) !== 0) throw configFault('storage_destination: there is data in it already');
  await to.replace(from.snapshot());
}
