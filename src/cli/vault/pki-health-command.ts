import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Fault } from '../../base/fault.ts';
import type { VaultClient } from './client.ts';
import { table } from './columns.ts';
import { misuse } from './failure.ts';
import { type Finding, type HealthCheck, isEnabled, type Status, statuses } from './health/check.ts';
import { issuerChecks } from './health/issuer-checks.ts';
import { mountChecks } from './health/mount-checks.ts';
import { MountFacts } from './health/mount-facts.ts';
import { roleChecks } from './health/role-checks.ts';
import { printDocument } from './output.ts';
import { parseDocument } from './secret.ts';
import { barePath, type Call, type Subcommand } from './subcommand.ts';
import { isObject, jsonText, type Value, type ValueObject } from './value.ts';

/** In the order in which they are printed. */
const checks: readonly HealthCheck[] = [...issuerChecks, ...roleChecks, ...mountChecks];

/** The mildest status that makes the exit status its own. */
const indicators: Readonly<Record<string, Status>> = {
  default: 'informational',
  informational: 'informational',
  warning: 'warning',
  critical: 'critical',
  permission: 'invalid_version',
};

export const pkiHealthCheck: Subcommand = {
  summary: "Check a PKI mount's health",
  usage: '[options] MOUNT',
  about: `Holds MOUNT against what is good practice, and says what will fail soon. Not all of it is for every mount:
-health-config takes a JSON file of settings by check, such as {"too_many_certs": {"enabled": false}}.

The exit status is that of the worst finding: 2 for information, 3 for a warning, 4 for what is critical, 5 where the
server is too old for a check, 6 where the token may not see enough; 1 where nothing could be checked.

    $ capstan vault pki health-check -return-indicator=critical pki_int`,
  output: ['format'],
  flags: [
    { name: 'health-config', kind: 'text', help: 'A JSON file with settings for the checks.' },
    {
      name: 'return-indicator',
      kind: 'text',
      default: 'default',
      help: 'From which finding on the exit status is not 0: informational, warning, critical or permission.',
    },
    { name: 'default-disabled', kind: 'switch', help: 'Run only what the settings enable.' },
    { name: 'list', kind: 'switch', help: 'Print the checks and their settings, and check nothing.' },
  ],
  run: checkHealth,
};

async function checkHealth(call: Call): Promise<number> {
  const { flags, args, terminal } = call;
  const [path, ...more] = args;
  if (!flags.on('list') && path === undefined) {
    throw misuse('Not enough arguments (expected mount path, got nothing)');
  }
  if (!flags.on('list') && more.length > 0) {
    throw misuse(`Too many arguments (expected only mount path, got ${args.length} arguments)`);
  }
  const indicator = flags.text('return-indicator') || 'default';
  if (!Object.hasOwn(indicators, indicator)) {
    throw misuse(
      `Invalid flag -return-indicator=${indicator}; known options are default, informational, warning, critical, ` +
        'and permission',
    );
  }
  if (flags.on('list')) return listChecks(call);
  const client = await call.connect();
  await assertPki(client, path!);
  const prepared = prepare(await readConfig(call), flags.on('default-disabled'));
  const facts = new MountFacts(client, barePath(path!), call.context.clock.now());
  const results = new Map<string, Finding[]>();
  for (const { name, look } of prepared) {
    results.set(
      name,
      await orMisuse(`Failed to run health check: failed to fetch resources ${name}`, look(facts)),
    );
  }
  if (terminal.format === 'table') showTables(call, results);
  else await printDocument(terminal, document(results));
  const found = [...results.values()].flat().map(({ status }) => statuses.indexOf(status));
  const worst = Math.max(0, ...found);
  return worst >= statuses.indexOf(indicators[indicator]!) ? worst : 0;
}

function listChecks({ terminal }: Call): number {
  if (terminal.format === 'yaml') throw misuse('YAML output format is not supported by the --list command');
  if (terminal.format !== 'json') terminal.line('Default health check config:');
  terminal.line(jsonText(Object.fromEntries(checks.map(({ name, defaults }) => [name, defaults])), 2));
  return 0;
}

/** Looked up in ways that need ever less of the token. */
async function assertPki(client: VaultClient, path: string): Promise<void> {
  const mount = barePath(path);
  if (mount.startsWith('auth/')) {
    throw misuse(
      'refusing to run PKI health-check on auth mount; this command is only relevant to PKI secrets engines.',
    );
  }
  for (const where of [`sys/mounts/${mount}`, `sys/internal/ui/mounts/${mount}`]) {
    const type = await typeAt(client, where);
    if (type === 'pki') return;
    if (type !== undefined) throw misuse(`refusing to run pki health-check on mount of type ${type}`);
  }
  const ca = await orMisuse(
    'detection of PKI mount failed:\n\t',
    client.find({ method: 'GET', path: `${mount}/cert/ca` }),
  );
  if (ca?.data?.certificate !== undefined) return;
  throw misuse(
    'refusing to run PKI health-check on non-PKI mount: path cert/ca did not exist: route entry not found',
  );
}

async function typeAt(client: VaultClient, path: string): Promise<string | undefined> {
  try {
    const type = (await client.ask({ method: 'GET', path }))?.data?.type;
    return typeof type === 'string' ? type : undefined;
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}

async function readConfig({ flags, context }: Call): Promise<ValueObject> {
  const path = flags.text('health-config');
  if (path === '') return {};
  let text: string;
  try {
    text = await readFile(resolve(context.cwd, path), 'utf8');
  } catch (error) {
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const why = missing ? `open ${path}: no such file or directory` : (error as Error).message;
    throw misuse(`Failed to read configuration file ${path}: ${why}`);
  }
  return orMisuse(`Failed to parse configuration file ${path}`, () => parseDocument(text));
}

/** The checks that are to run, with their settings. */
function prepare(given: ValueObject, defaultDisabled: boolean) {
  return checks.flatMap(({ name, defaults, prepare: take }) => {
    const known: Record<string, Value> = {
      ...defaults,
      enabled: !defaultDisabled && (defaults.enabled ?? true),
    };
    const changes = given[name];
    for (const [setting, value] of Object.entries(isObject(changes) ? changes : {})) {
      if (!Object.hasOwn(known, setting)) {
        throw misuse(
          `Failed to build health check configuration: unknown configuration option for ${name}: ${setting}`,
        );
      }
      known[setting] = value;
    }
    const doing = `Failed to build health check configuration: error saving merged config for ${name}`;
    const look = orMisuse(doing, () => take(known));
    return orMisuse(doing, () => isEnabled(name, known.enabled!)) ? [{ name, look }] : [];
  });
}

function showTables({ terminal }: Call, results: ReadonlyMap<string, readonly Finding[]>): void {
  for (const [name, findings] of results) {
    terminal.line(`${name}\n${'-'.repeat(name.length)}`);
    const rows = findings.map(({ status, endpoint, message }) => [status, endpoint, message]);
    terminal.line(table(['status', 'endpoint', 'message'], rows));
    terminal.line('\n');
  }
}

function document(results: ReadonlyMap<string, readonly Finding[]>): ValueObject {
  return Object.fromEntries(
    [...results].map(([name, findings]) => [
      name,
      findings.map(
        ({ status, endpoint, message }) =>
          new Map<string, Value>([
            ['status_code', statuses.indexOf(status)],
            ['status', status],
            ['endpoint', endpoint],
            ['message', message],
          ]),
      ),
    ]),
  );
}

/** What fails ends the command with status 1 here. */
function orMisuse<T>(doing: string, work: Promise<T>): Promise<T>;
function orMisuse<T>(doing: string, work: () => T): T;
function orMisuse<T>(doing: string, work: Promise<T> | (() => T)): T | Promise<T> {
  const fail = (error: unknown): never => {
    if (error instanceof Fault) throw misuse(`${doing}: ${error.message}`);
    throw error;
  };
  if (typeof work !== 'function') return work.catch(fail);
  try {
    return work();
  } catch (error) {
    return fail(error);
  }
}
