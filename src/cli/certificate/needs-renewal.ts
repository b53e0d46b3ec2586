import { durationProblem, parseDuration } from '../../base/duration.ts';
import { describeError, Fault } from '../../base/fault.ts';
import type { Certificate } from '../../x509/certificate.ts';
import type { Command, CommandContext } from '../command.ts';
import { readArguments, usageFault } from './flags.ts';
import { certificatesOf, readInput } from './input.ts';
import { parseServerAddress } from './server.ts';

const help = `Says by its exit status whether a certificate is due for renewal.

Usage: capstan certificate needs-renewal FILE | - | ADDRESS [FLAGS]

FILE and ADDRESS are as for capstan certificate inspect. A certificate is due when it has
used up 66 % of its lifetime, or as much as --expires-in says.

  --expires-in WHEN  a share of the lifetime that is used up (75%), or the time that is
                     left (1h15m): due when there is no more than that
  --bundle           due when any certificate of the file or server is, not only the first
  --verbose, -v      say it in words too
  --roots ROOTS      verify a server against these roots instead of the machine's: a file,
                     several with commas between, or a directory
  --servername NAME  ask a server for NAME, and look for it in the certificate
  --help

  capstan certificate needs-renewal web.crt && renew
  capstan certificate needs-renewal https://127.0.0.1:6443 --roots ca.crt --expires-in 24h

The status is 0 where it is due, 1 where it is not, 2 where there is no such file, and 255
for any other error.
`;

const options = {
  'expires-in': { type: 'string', default: '66%' },
  bundle: { type: 'boolean', default: false },
  verbose: { type: 'boolean', short: 'v', default: false },
  roots: { type: 'string' },
  servername: { type: 'string' },
} as const;

const status = { due: 0, notDue: 1, noFile: 2, failed: 255 } as const;

export const command: Command = {
  summary: 'say whether a certificate is due for renewal',
  help,
  async run(args, context) {
    try {
      return await judge(args, context);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      context.stderr.write(`capstan: ${describeError(error)}\n`);
      return error.code === noSuchFile ? status.noFile : status.failed;
    }
  },
};

async function judge(args: readonly string[], context: CommandContext): Promise<number> {
  const { values, positionals } = readArguments(args, options, {
    command: 'needs-renewal',
    names: ['the certificate to look at'],
  });
  const input = positionals[0]!;
  const threshold = readThreshold(values['expires-in']);
  const { roots, servername: serverName } = values;
  const access = { roots, serverName };
  const document = await readInput(input, access, context).catch((error: unknown) => {
    throw isAbsent(error) && !parseServerAddress(input) ? absentFault(error) : error;
  });
  const all = certificatesOf(document, input);
  const now = context.clock.now();
  const due = (values.bundle ? all : all.slice(0, 1)).some((one) => isDue(one, threshold, now));
  if (due) {
    if (values.verbose) context.stdout.write('certificate needs renewal\n');
    return status.due;
  }
  if (values.verbose) context.stderr.write('certificate does not need renewal\n');
  return status.notDue;
}

const noSuchFile = 'cli.certificate.no-file';

function isAbsent(error: unknown): error is Fault {
  return error instanceof Fault && (error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

/** The certificate's own file is not there, which has a status to itself; a file of roots that is not has none. */
function absentFault(cause: Fault): Fault {
  return new Fault(cause.message, { code: noSuchFile, blame: cause.blame, cause });
}

/** Whole percents of the lifetime that must have passed, or milliseconds that must not be left. */
export type Threshold = { usedPercent: number } | { leftMs: number };

/** @throws Fault `cli.usage` for what is neither a percentage from 0 to 100 nor a duration. */
export function readThreshold(text: string): Threshold {
  const invalid = (reason: string) =>
    usageFault(`invalid value '${text}' for flag '--expires-in': ${reason}`, 'needs-renewal');
  if (text.endsWith('%')) {
    if (!/^[+-]?\d+%$/.test(text)) throw invalid('a percentage is a whole number');
    const usedPercent = Number(text.slice(0, -1));
    if (usedPercent > 100 || usedPercent < 0) throw invalid('value must be in range 0-100%');
    return { usedPercent };
  }
  try {
    return { leftMs: parseDuration(text) };
  } catch (error) {
    if (error instanceof Fault) throw invalid(durationProblem(text));
    throw error;
  }
}

/** Percents are cut down to whole ones, as step does, so that nothing is due before its share is used up. */
export function isDue(
  { notBefore, notAfter }: Pick<Certificate, 'notBefore' | 'notAfter'>,
  threshold: Threshold,
  now: number,
): boolean {
  const leftMs = notAfter - now;
  if ('leftMs' in threshold) return leftMs <= threshold.leftMs;
  const lifetimeMs = notAfter - notBefore;
  // A lifetime of nothing is over as soon as it begins.
  if (lifetimeMs <= 0) return leftMs <= 0;
  return Math.trunc(((lifetimeMs - leftMs) * 100) / lifetimeMs) >= threshold.usedPercent;
}
