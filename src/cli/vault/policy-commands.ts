import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { attempt, Failure } from './failure.ts';
import { fileProblem, readAll } from './key-values.ts';
import { printDocument } from './output.ts';
import { strings, text } from './secret.ts';
import { type Call, expectArguments, type Subcommand } from './subcommand.ts';

export const policyWrite: Subcommand = {
  summary: 'Upload a policy',
  usage: '[options] NAME FILE',
  about: `Uploads the policy in FILE (HCL or JSON), or on stdin where FILE is -, under NAME.

    $ capstan vault policy write issuer issuer.hcl
    $ cat issuer.hcl | capstan vault policy write issuer -`,
  async run(call) {
    expectArguments(call, { least: 2 });
    const client = await call.connect();
    const [typed, source] = call.args as [string, string];
    const name = policyName(typed);
    const policy = await readPolicy(call, source.trim());
    await attempt(
      'Error uploading policy',
      client.ask({ method: 'PUT', path: `sys/policies/acl/${name}`, body: { policy } }),
    );
    if (typed !== name) call.terminal.warn(`Policy name was converted from "${typed}" to "${name}"`);
    call.terminal.line(`Success! Uploaded policy: ${name}`);
    return 0;
  },
};

async function readPolicy({ input, context }: Call, source: string): Promise<string> {
  if (source === '-') return readAll(context.stdin);
  try {
    return await readFile(resolve(input.cwd, source), 'utf8');
  } catch (cause) {
    throw new Failure(2, `Error opening policy file: ${fileProblem({ asTyped: source, cause })}`);
  }
}

export const policyRead: Subcommand = {
  summary: 'Print a policy',
  usage: '[options] NAME',
  about: `Prints the policy under NAME as it was uploaded.

    $ capstan vault policy read issuer`,
  output: ['format'],
  async run(call) {
    expectArguments(call, { least: 1 });
    const client = await call.connect();
    const name = policyName(call.args[0]!);
    const secret = await attempt(
      `Error reading policy named ${name}`,
      client.find({ method: 'GET', path: `sys/policies/acl/${name}` }),
    );
    const policy = text(secret?.data?.policy);
    if (policy === '') throw new Failure(2, `No policy named: ${name}`);
    if (call.terminal.format === 'table') call.terminal.line(policy.trim());
    else await printDocument(call.terminal, { policy });
    return 0;
  },
};

export const policyList: Subcommand = {
  summary: 'List the policies',
  usage: '[options]',
  about: `Prints the name of every policy.

    $ capstan vault policy list`,
  output: ['format'],
  async run(call) {
    expectArguments(call, {});
    const client = await call.connect();
    const secret = await attempt(
      'Error listing policies',
      client.ask({ method: 'GET', path: 'sys/policies/acl', query: { list: 'true' } }),
    );
    if (!secret?.data) throw new Failure(2, 'Error listing policies: data from server response is empty');
    const names = strings(secret.data.keys) ?? [];
    if (call.terminal.format === 'table') names.forEach((name) => call.terminal.line(name));
    else await printDocument(call.terminal, names);
    return 0;
  },
};

export const policyDelete: Subcommand = {
  summary: 'Delete a policy',
  usage: '[options] NAME',
  about: `Deletes the policy under NAME. Tokens that have it lose what it allowed at once.

    $ capstan vault policy delete issuer`,
  async run(call) {
    expectArguments(call, { least: 1 });
    const client = await call.connect();
    const name = policyName(call.args[0]!);
    await attempt(
      `Error deleting ${name}`,
      client.ask({ method: 'DELETE', path: `sys/policies/acl/${name}` }),
    );
    call.terminal.line(`Success! Deleted policy: ${name}`);
    return 0;
  },
};

/** Policies are kept under lower-case names. */
function policyName(name: string): string {
  return name.toLowerCase().trim();
}
