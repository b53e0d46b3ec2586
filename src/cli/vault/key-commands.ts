import type { VaultClient } from './client.ts';
import { columns } from './columns.ts';
import { attempt, Failure } from './failure.ts';
import { printDocument } from './output.ts';
import { number, text } from './secret.ts';
import { type Call, expectArguments, type Subcommand } from './subcommand.ts';
import type { Value, ValueObject } from './value.ts';

export const operatorRotate: Subcommand = {
  summary: 'Take a new encryption key for what is written from now on',
  usage: '[options]',
  about: `Draws a new key for all values that the server writes from then on; what there is stays as it is, and readable. Takes a
token with sudo on sys/rotate.

    $ capstan vault operator rotate`,
  output: ['format'],
  async run(call) {
    expectArguments(call, {});
    const client = await call.connect();
    await attempt('Error rotating key', client.ask({ method: 'POST', path: 'sys/rotate' }));
    const status = await readKeyStatus(client);
    if (call.terminal.format === 'table') call.terminal.line('Success! Rotated key\n');
    return printKeyStatus(call, status);
  },
};

export const operatorKeyStatus: Subcommand = {
  summary: 'Print which encryption key is in use',
  usage: '[options]',
  about: `Prints the term of the key that the server encrypts with, since when that is and how often it was used.

    $ capstan vault operator key-status`,
  output: ['format'],
  async run(call) {
    expectArguments(call, {});
    const client = await call.connect();
    return printKeyStatus(call, await readKeyStatus(client));
  },
};

export const operatorStepDown: Subcommand = {
  summary: 'Make the active server of several step down',
  usage: '[options]',
  about: `Makes the server give up being the active one of several. One that is alone stays as it is.

    $ capstan vault operator step-down`,
  async run(call) {
    expectArguments(call, {});
    const client = await call.connect();
    await attempt('Error stepping down', client.ask({ method: 'PUT', path: 'sys/step-down', body: null }));
    call.terminal.line(`Success! Stepped down: ${call.flags.text('address')}`);
    return 0;
  },
};

async function readKeyStatus(client: VaultClient): Promise<ValueObject> {
  const asked = client.ask({ method: 'GET', path: 'sys/key-status' });
  const secret = await attempt('Error reading key status', asked);
  if (secret?.data) return secret.data;
  throw new Failure(2, 'Error reading key status: data from server response is empty');
}

async function printKeyStatus({ terminal }: Call, status: ValueObject): Promise<number> {
  const [term, installed] = [number(status.term), text(status.install_time)];
  const encryptions = number(status.encryptions);
  if (terminal.format === 'table') {
    terminal.line(
      columns([
        ['Key Term', String(term)],
        ['Install Time', shortTime(installed)],
        ['Encryption Count', String(encryptions)],
      ]),
    );
  } else {
    const told: [string, Value][] = [
      ['term', term],
      ['install_time', installed],
      ['encryptions', encryptions],
    ];
    await printDocument(terminal, new Map(told));
  }
  return 0;
}

/** As RFC 822 writes times, with the year's last two digits: `02 Jan 26 15:04 UTC`. */
function shortTime(instant: string): string {
  const at = Date.parse(instant);
  if (Number.isNaN(at)) return instant;
  const [, day, month, year, time] =
    /^\w+, (\d\d) (\w{3}) \d\d(\d\d) (\d\d:\d\d)/.exec(new Date(at).toUTCString()) ?? [];
  return `${day} ${month} ${year} ${time} UTC`;
}
