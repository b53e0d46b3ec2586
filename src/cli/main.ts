import { parentPipeVariable } from '../app/parent-pipe.ts';
import { systemClock } from '../base/clock.ts';
import { systemEntropy } from '../base/entropy.ts';
import { describeError, Fault } from '../base/fault.ts';
import type { Command, CommandContext } from './command.ts';
import { version } from './version.ts';

/** Loaded when called for: a command pays only for what it uses. */
const commands: Record<string, () => Promise<{ command: Command }>> = {
  up: () => import('./up.ts'),
  cluster: () => import('./cluster.ts'),
  apiserver: () => import('./apiserver.ts'),
  vault: () => import('./vault/command.ts'),
  certificate: () => import('./certificate/command.ts'),
  crl: () => import('./crl/command.ts'),
  check: () => import('./check.ts'),
  controller: () => import('./controller.ts'),
  identity: () => import('./identity.ts'),
  workload: () => import('./workload.ts'),
};

export async function main(process: NodeJS.Process): Promise<void> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop.abort());
  // A process that another of ours started ends with it: its stdin is the other's pipe, which ends even by kill -9.
  if (process.env[parentPipeVariable]) process.stdin.on('end', () => stop.abort()).resume();
  const context: CommandContext = {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    program: [process.execPath, process.argv[1]!],
    cwd: process.cwd(),
    clock: systemClock,
    entropy: systemEntropy,
    signal: stop.signal,
    onHangup(act) {
      process.on('SIGHUP', act);
      return () => void process.off('SIGHUP', act);
    },
  };
  // A reader that leaves early (`capstan ... | head`) is no error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
  process.exitCode = await run(process.argv.slice(2), context);
  // Else an open pipe from the parent would keep a finished process alive.
  if (process.env[parentPipeVariable]) process.stdin.destroy();
}

/** Runs one command line; answers the exit status. */
export async function run(args: readonly string[], context: CommandContext): Promise<number> {
  const [name, ...rest] = args;
  if (name === '--version' || name === '-v' || name === 'version') {
    context.stdout.write(`capstan ${version()}\n`);
    return 0;
  }
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    const topic = name === 'help' ? rest[0] : undefined;
    context.stdout.write(topic && commands[topic] ? (await commands[topic]()).command.help : await usage());
    return 0;
  }
  const load = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!load) {
    context.stderr.write(`capstan: there is no command ${JSON.stringify(name)}; see capstan --help\n`);
    return 2;
  }
  try {
    const { command } = await load();
    if (rest.length === 1 && (rest[0] === '--help' || rest[0] === '-h')) {
      context.stdout.write(command.help);
      return 0;
    }
    return await command.run(rest, context);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    context.stderr.write(`capstan: ${describeError(error)}\n`);
    return 1;
  }
}

async function usage(): Promise<string> {
  const names = Object.keys(commands);
  const width = Math.max(0, ...names.map((name) => name.length));
  const lines = await Promise.all(
    names.map(async (name) => `  ${name.padEnd(width)}  ${(await commands[name]!()).command.summary}`),
  );
  return [
    'capstan: the certificate path of a service mesh in one program',
    '',
    'Usage: capstan COMMAND [ARGUMENTS]',
    '',
    ...lines,
    '',
    'capstan COMMAND --help tells more of one; capstan --version prints the version.',
    '',
  ].join('\n');
}
