import { attempt, Failure, misuse } from './failure.ts';
import { asTextLists, parseKeyValues } from './key-values.ts';
import { printDocument, printFieldOrSecret, printKeys, printSecret } from './output.ts';
import type { Secret } from './secret.ts';
import { barePath, type Call, expectArguments, type Subcommand } from './subcommand.ts';
import { isList } from './value.ts';

export const read: Subcommand = {
  summary: 'Read what stands at a path',
  usage: '[options] PATH [KEY=VALUE...]',
  about: `Reads what the server holds, or makes, at PATH. KEY=VALUE arguments go into the query.

    $ capstan vault read pki/config/urls
    $ capstan vault read -field=certificate pki/cert/ca
    $ capstan vault read -format=raw pki/ca/pem`,
  output: ['field', 'format'],
  allowsRaw: true,
  async run(call) {
    expectArguments(call, { least: 1, most: Infinity });
    const client = await call.connect();
    const path = barePath(call.args[0]!);
    const query = asTextLists(
      await parseKeyValues(call.args.slice(1), call.input, 'Failed to parse K=V data'),
    );
    if (call.terminal.format === 'raw') {
      const { body, refusal } = await attempt(
        `Error reading: ${path}`,
        client.send({ method: 'GET', path, query }),
      );
      if (refusal) throw new Failure(2, `Error reading: ${path}: ${refusal.message}`);
      call.terminal.line(body);
      return 0;
    }
    const secret = await attempt(`Error reading ${path}`, client.find({ method: 'GET', path, query }));
    if (!secret) throw new Failure(2, `No value found at ${path}`);
    await printFieldOrSecret(call.terminal, secret, call.flags.text('field'));
    return 0;
  },
};

export const write: Subcommand = {
  summary: 'Write data, settings and requests',
  usage: '[options] PATH [KEY=VALUE...]',
  about: `Sends KEY=VALUE arguments to PATH and prints the answer. A VALUE of @FILE is the file's text, a VALUE of -
is what stdin holds; a lone @FILE or - is a whole JSON object. A KEY that stands twice makes a list.

    $ capstan vault write pki/roles/web allowed_domains=example.com allow_subdomains=true
    $ capstan vault write -field=certificate pki/root/generate/internal common_name=root
    $ capstan vault write pki/root/sign-intermediate csr=@request.pem
    $ capstan vault write -force pki/tidy`,
  flags: [{ name: 'force', kind: 'switch', aliases: ['f'], help: 'Go on with no KEY=VALUE at all.' }],
  output: ['field', 'format'],
  async run(call) {
    expectArguments(call, { least: 1, most: Infinity });
    if (call.args.length === 1 && !call.flags.on('force')) throw misuse('Must supply data or use -force');
    const path = barePath(call.args[0]!);
    const data = await parseKeyValues(call.args.slice(1), call.input, 'Failed to parse K=V data');
    // With nothing to send, Vault's client sends JSON's null.
    const body = call.args.length === 1 ? null : data;
    const client = await call.connect();
    const { secret, refusal } = await attempt(
      `Error writing data to ${path}`,
      client.change({ method: 'PUT', path, body }),
    );
    if (refusal) return refused(call, `Error writing data to ${path}: ${refusal.message}`, secret);
    return changed(call, secret, `Success! Data written to: ${path}`);
  },
};

export const remove: Subcommand = {
  summary: 'Delete data and settings',
  usage: '[options] PATH [KEY=VALUE...]',
  about: `Deletes what stands at PATH. KEY=VALUE arguments go into the query.

    $ capstan vault delete pki/roles/web`,
  output: ['field', 'format'],
  async run(call) {
    expectArguments(call, { least: 1, most: Infinity, expected: 'at least 1' });
    const client = await call.connect();
    const path = barePath(call.args[0]!);
    const values = await parseKeyValues(call.args.slice(1), call.input, 'Failed to parse string list data');
    const { secret, refusal } = await attempt(
      `Error deleting ${path}`,
      client.change({ method: 'DELETE', path, query: asTextLists(values) }),
    );
    if (refusal) return refused(call, `Error deleting ${path}: ${refusal.message}`, secret);
    return changed(call, secret, `Success! Data deleted (if it existed) at: ${path}`);
  },
};

async function refused(call: Call, message: string, secret: Secret | undefined): Promise<number> {
  call.terminal.error(message);
  if (secret) await printSecret(call.terminal, secret);
  return 2;
}

async function changed(call: Call, secret: Secret | undefined, success: string): Promise<number> {
  if (secret) await printFieldOrSecret(call.terminal, secret, call.flags.text('field'));
  else if (call.terminal.format === 'table') call.terminal.line(success);
  return 0;
}

export const list: Subcommand = {
  summary: 'List the keys below a path',
  usage: '[options] PATH',
  about: `Lists what stands below PATH.

    $ capstan vault list pki/roles
    $ capstan vault list -detailed pki/issuers
    $ capstan vault list -after=LAST -limit=50 pki/certs`,
  flags: [
    { name: 'after', kind: 'text', help: 'Start behind this key.' },
    { name: 'limit', kind: 'whole', default: '-1', help: 'List at most so many keys.' },
  ],
  output: ['format', 'detailed'],
  async run(call) {
    expectArguments(call, { least: 1 });
    const client = await call.connect();
    const path = barePath(call.args[0]!);
    const after = call.flags.text('after');
    const limit = call.flags.whole('limit');
    // Servers warn of parameters that an endpoint does not know: a page is asked for only where one is wanted.
    const page = after === '' && limit <= 0 ? {} : { after, limit: String(limit) };
    const secret = await attempt(
      `Error listing ${path}`,
      client.find({ method: 'GET', path, query: { list: 'true', ...page } }),
    );
    if (secret?.wrapInfo && secret.wrapInfo.ttlSeconds !== 0) {
      await printSecret(call.terminal, secret);
      return 0;
    }
    const keys = secret?.data?.keys;
    if (call.terminal.format !== 'table' && !isList(keys)) {
      await printDocument(call.terminal, {});
      return 2;
    }
    if (!secret) throw new Failure(2, `No value found at ${path}`);
    if (!secret.data) {
      await printSecret(call.terminal, secret);
      return 0;
    }
    if (!isList(keys)) throw new Failure(2, `No entries found at ${path}`);
    await printKeys(call.terminal, secret, keys);
    return 0;
  },
};
