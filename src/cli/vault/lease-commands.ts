import { attempt, misuse } from './failure.ts';
import { printSecret } from './output.ts';
import type { VaultRequest } from './request.ts';
import { type Call, expectArguments, type Subcommand } from './subcommand.ts';

export const leaseLookup: Subcommand = {
  summary: 'Show what is known of a lease',
  usage: '[options] ID',
  about: `Shows when a lease was issued, when it ends, and whether it can be renewed.

    $ capstan vault lease lookup pki/issue/web/7BxLcYJkUQY9ZGVZ4mfG8Wmx`,
  output: ['format'],
  async run(call) {
    const id = leaseId(call, '1');
    const client = await call.connect();
    const secret = await attempt(
      `error looking up lease id ${id}`,
      client.ask({ method: 'PUT', path: 'sys/leases/lookup', body: { lease_id: id } }),
    );
    if (secret) await printSecret(call.terminal, secret);
    return 0;
  },
};

export const leaseRenew: Subcommand = {
  summary: 'Renew a lease',
  usage: '[options] ID',
  about: `Gives a lease more time, up to its maximum.

    $ capstan vault lease renew -increment=24h ID`,
  flags: [{ name: 'increment', kind: 'duration', help: 'How much time to ask for.' }],
  output: ['format'],
  async run(call) {
    const id = leaseId(call, '1-2');
    const increment = Math.trunc(call.flags.durationMs('increment') / 1_000);
    const client = await call.connect();
    const secret = await attempt(
      `Error renewing ${id}`,
      client.ask({ method: 'PUT', path: 'sys/leases/renew', body: { increment, lease_id: id } }),
    );
    if (secret) await printSecret(call.terminal, secret);
    return 0;
  },
};

function leaseId({ args }: Call, expected: string): string {
  if (args.length === 0) throw misuse('Missing ID!');
  if (args.length > 1) throw misuse(`Too many arguments (expected ${expected}, got ${args.length})`);
  return args[0]!.trim();
}

export const leaseRevoke: Subcommand = {
  summary: 'Revoke leases',
  usage: '[options] ID',
  about: `Ends a lease, or with -prefix all leases and tokens given below a path, and what was leased with them.

    $ capstan vault lease revoke pki/issue/web/7BxLcYJkUQY9ZGVZ4mfG8Wmx
    $ capstan vault lease revoke -prefix auth/approle/`,
  flags: [
    {
      name: 'force',
      kind: 'switch',
      aliases: ['f'],
      help: 'Forget the leases even where what was leased cannot be revoked; only with -prefix.',
    },
    { name: 'prefix', kind: 'switch', help: 'The argument is a path: end all leases below it.' },
    { name: 'sync', kind: 'switch', help: 'Wait until it is done, and fail where it fails.' },
  ],
  async run(call) {
    const { flags, terminal } = call;
    expectArguments(call, { least: 1 });
    const [force, prefix, sync] = [flags.on('force'), flags.on('prefix'), flags.on('sync')];
    if (force && !prefix) throw misuse('Specifying -force requires also specifying -prefix');
    const id = call.args[0]!.trim();
    const client = await call.connect();
    if (force) {
      terminal.warn(
        'Warning! Force-removing leases can cause Vault to become out of sync with secret engines!',
      );
    }
    const doing = force ? 'force revoking' : 'revoking';
    const what = prefix ? `leases with prefix ${id}` : `lease ${id}`;
    await attempt(`Error ${doing} ${what}`, client.ask(revokeRequest(id, { force, prefix, sync })));
    if (force) terminal.line(`Success! Force revoked any leases with prefix: ${id}`);
    else if (!sync) terminal.line('All revocation operations queued successfully!');
    else
      terminal.line(
        prefix ? `Success! Revoked any leases with prefix: ${id}` : `Success! Revoked lease: ${id}`,
      );
    return 0;
  },
};

function revokeRequest(
  id: string,
  { force, prefix, sync }: { force: boolean; prefix: boolean; sync: boolean },
): VaultRequest {
  const kind = force ? 'revoke-force' : prefix ? 'revoke-prefix' : 'revoke';
  return { method: 'PUT', path: `sys/leases/${kind}/${id}`, ...(force ? {} : { body: { sync } }) };
}
