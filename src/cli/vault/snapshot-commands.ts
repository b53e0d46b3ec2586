import { createReadStream, createWriteStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describeError } from '../../base/fault.ts';
import { checkWhole } from '../../vault/snapshot/archive.ts';
import { attempt, Failure, misuse } from './failure.ts';
import type { Call, Subcommand } from './subcommand.ts';

export const snapshotSave: Subcommand = {
  summary: 'Save a snapshot of all data into a file',
  usage: '[options] FILE',
  about: `Saves all that the server keeps, as it is at one moment and encrypted as it is, into a new file; the server goes on
meanwhile. Takes a token with read on sys/storage/raft/snapshot.

    $ capstan vault operator raft snapshot save vault.snap`,
  async run(call) {
    const path = fileOf(call);
    const client = await call.connect();
    const answer = await attempt(
      'Error taking the snapshot',
      client.transfer({ method: 'GET', path: 'sys/storage/raft/snapshot' }),
    );
    // Never over a file that is there, which may be the last good snapshot.
    const file = await open(path, 'wx', 0o600).catch(failed('Error opening output file'));
    try {
      await pipeline(answer, createWriteStream(path, { fd: file.fd, autoClose: false, flush: true }));
      await attempt('Error taking the snapshot', checkWhole(createReadStream(path)));
    } catch (error) {
      await rm(path, { force: true });
      throw error instanceof Failure
        ? error
        : new Failure(2, `Error taking the snapshot: ${describeError(error)}`);
    } finally {
      await file.close();
    }
    return 0;
  },
};

export const snapshotRestore: Subcommand = {
  summary: 'Put a snapshot in the place of all data',
  usage: '[options] FILE',
  about: `Puts a snapshot in the place of all that the server keeps; what came after the snapshot is lost. With -force also one that
was made under other keys: the server is sealed then, to be unsealed with the shares of the snapshot's own time.

    $ capstan vault operator raft snapshot restore vault.snap`,
  flags: [
    {
      name: 'force',
      kind: 'switch',
      help: 'Restore even where the keys are others than those of the server now.',
    },
  ],
  async run(call) {
    const path = fileOf(call);
    const client = await call.connect();
    const file = await open(path).catch(failed('Error opening input file'));
    const force = call.flags.on('force') ? '-force' : '';
    const answer = await attempt(
      'Error installing the snapshot',
      client.transfer({
        method: 'POST',
        path: `sys/storage/raft/snapshot${force}`,
        body: file.createReadStream(),
      }),
    );
    answer.resume();
    return 0;
  },
};

function fileOf({ args, input }: Call): string {
  if (args.length !== 1) throw misuse(`Incorrect arguments (expected 1, got ${args.length})`);
  if (args[0] === '') throw misuse('Output file name is required');
  return resolve(input.cwd, args[0]!);
}

function failed(doing: string): (error: unknown) => never {
  return (error) => {
    throw new Failure(2, `${doing}: ${describeError(error)}`);
  };
}
