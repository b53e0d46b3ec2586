import { Fault } from '../../base/fault.ts';
import type { VaultClient } from './client.ts';
import { table } from './columns.ts';
import { misuse } from './failure.ts';
import { printDocument } from './output.ts';
import { issuersOf, type KnownIssuer, type Matches, matchesBetween, readIssuer } from './pki-issuer.ts';
import { barePath, type Call, type Subcommand } from './subcommand.ts';
import { isObject } from './value.ts';

export const pkiVerifySign: Subcommand = {
  summary: 'Check whether one certificate signed another',
  usage: '[options] POSSIBLE-ISSUER POSSIBLE-ISSUED',
  about: `Says whether the issuer at one path signed the certificate at another, in five answers: its key made the
signature (signature_match), it is in the other's chain (path_match), the key identifiers (key_id_match) and the names
(subject_match) fit, and who trusts the one can trust the other (trust_match).

    $ capstan vault pki verify-sign pki_root/issuer/root pki_int/issuer/default`,
  output: ['format'],
  async run(call) {
    const [first, second, ...more] = call.args;
    if (first === undefined) {
      throw misuse('Not enough arguments (expected potential issuer and issued, got nothing)');
    }
    if (second === undefined) {
      throw misuse('Not enough arguments (expected both potential issuer and issued, got only one)');
    }
    if (more.length > 0) {
      throw misuse(
        `Too many arguments (expected only potential issuer and issued, got ${call.args.length} arguments)`,
      );
    }
    const [issuer, issued] = [barePath(first), barePath(second)];
    const client = await call.connect();
    const parent = await orMisuse(`Failed to read issuer: ${issuer}`, readIssuer(client, issuer));
    const found = await orMisuse('Failed to run verification', judge(call, client, parent, issued));
    if (call.terminal.format === 'table') {
      call.terminal.line(`issuer:${issuer}\nissued:${issued}\n`);
    }
    await show(call, ['field', 'value'], { ...found });
    return 0;
  },
};

/** Which matches count, by the flags that say so. */
const criteria = [
  ['subject_match', 'subject_match', true, 'The issuer is named as its subject.'],
  ['key_id_match', 'key_id_match', true, 'The key identifiers are the same.'],
  ['path_match', 'path_match', false, 'PARENT is in its chain (ca_chain).'],
  ['direct_sign', 'signature_match', true, "PARENT's key made the signature."],
  ['indirect_sign', 'trust_match', true, 'To trust PARENT is enough to trust it.'],
] as const satisfies readonly (readonly [string, keyof Matches, boolean, string])[];

export const pkiListIntermediates: Subcommand = {
  summary: 'Tell which certificates a parent issued',
  usage: '[options] PARENT [CHILD ...]',
  about: `Holds the issuers at the paths CHILD against the one at PARENT. Of a CHILD that is a mount all issuers are taken;
without any, those of all PKI mounts. What has to match for "true" is for the flags to say.

    $ capstan vault pki list-intermediates pki_root/issuer/root pki_int`,
  output: ['format'],
  flags: [
    ...criteria.map(([name, , on, help]) => ({
      name,
      kind: 'switch' as const,
      default: String(on),
      help: `What has to match: ${help}`,
    })),
    { name: 'use_names', kind: 'switch', help: 'Print issuers by name, where they have one.' },
  ],
  async run(call) {
    const [first, ...children] = call.args;
    if (first === undefined) throw misuse('Not enough arguments (expected potential parent, got nothing)');
    const trailing = call.args.find((arg) => arg.startsWith('-'));
    if (trailing !== undefined && call.args.length > 2) {
      call.terminal.warn(
        `Options (${trailing}) must be specified before positional arguments (${call.args[0]})`,
      );
    }
    const client = await call.connect();
    const parent = barePath(first);
    const paths = await orMisuse('', pathsOf(call, client, children));
    const issuer = await orMisuse(
      `Failed to read parent issuer on path ${parent}`,
      readIssuer(client, parent),
    );
    const wanted = criteria.filter(([name]) => call.flags.on(name)).map(([, match]) => match);
    const results: Record<string, boolean> = {};
    for (const path of paths) {
      const found = await orMisuse(
        `Failed to run verification on path ${path}`,
        judge(call, client, issuer, path),
      );
      results[path] = wanted.every((match) => found[match]);
    }
    await show(call, ['intermediate', 'match?'], results);
    return 0;
  },
};

async function pathsOf(call: Call, client: VaultClient, children: readonly string[]): Promise<string[]> {
  const byName = call.flags.on('use_names');
  const given = children.length > 0 ? children.map(barePath) : await pkiMounts(client);
  const each = await Promise.all(
    given.map(async (path) =>
      /\/(issuer|certs|revoked)\//.test(path) ? [path] : mountIssuers(client, path, byName),
    ),
  );
  return each.flat().filter((path) => path !== '');
}

async function mountIssuers(client: VaultClient, mount: string, byName: boolean): Promise<string[]> {
  return orMisuse(
    `failed to read list of issuers within mount ${mount}`,
    issuersOf(client, mount, { byName }),
  );
}

async function pkiMounts(client: VaultClient): Promise<string[]> {
  const secret = await orMisuse(
    'Failed to Read List of Mounts With Potential Issuers',
    client.ask({ method: 'GET', path: 'sys/mounts' }),
  );
  return Object.entries(secret?.data ?? {}).flatMap(([path, mount]) =>
    isObject(mount) && mount.type === 'pki' ? [barePath(path)] : [],
  );
}

async function judge(call: Call, client: VaultClient, parent: KnownIssuer, path: string): Promise<Matches> {
  const child = await readIssuer(client, path).catch((error: unknown) => {
    if (!(error instanceof Fault)) throw error;
    const { code, blame } = error;
    throw new Fault(`error: unable to fetch issuer ${path}: ${error.message}`, { code, blame, cause: error });
  });
  return matchesBetween(parent, child, call.context.clock.now());
}

/** What fails ends the command with status 1 here, not 2. */
async function orMisuse<T>(doing: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Fault) throw misuse(doing === '' ? error.message : `${doing}: ${error.message}`);
    throw error;
  }
}

/** In order, which Vault leaves to chance. */
async function show(call: Call, header: [string, string], results: Record<string, boolean>): Promise<void> {
  const { terminal } = call;
  const rows = Object.entries(results).toSorted(([a], [b]) => (a < b ? -1 : 1));
  if (terminal.format === 'table') {
    terminal.line(
      table(
        header,
        rows.map(([name, value]) => [name, String(value)]),
      ),
    );
    terminal.line('\n');
    return;
  }
  if (terminal.format === 'pretty') throw misuse('Failed to output results: unknown output format: pretty');
  await printDocument(terminal, Object.fromEntries(rows));
  if (terminal.format !== 'json') terminal.line('');
}
