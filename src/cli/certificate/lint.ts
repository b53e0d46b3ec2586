import { secondMs } from '../../base/duration.ts';
import { Fault } from '../../base/fault.ts';
import { defects, type Finding, type LintResult, lint } from '../../x509/lint/lint.ts';
import { severityOf } from '../../x509/lint/rule.ts';
import { decodePem } from '../../x509/pem.ts';
import type { Command, CommandContext } from '../command.ts';
import { readArguments } from './flags.ts';
import { certificatesOf, readInput, readInputBytes } from './input.ts';
import { parseServerAddress } from './server.ts';

const help = `Holds a certificate or a CRL against the rules of RFC 3279, 5280, 5480, 5891, 6962 and
8813 and of the community, and prints what comes of each as ZLint does, in JSON. Rules for public CAs
only are not among them.

Usage: capstan certificate lint FILE | - | ADDRESS [FLAGS]

FILE and ADDRESS are as for capstan certificate inspect, but FILE may hold a CRL; of several
certificates and CRLs the first is looked at. A rule's name is ZLint's, where ZLint has it,
and begins with e_ for errors, w_ for warnings and n_ for notices. Its result is pass, NA
(it is not about such certificates), error, warn, info, or fatal where the certificate is
too broken to tell.

  --defects        print only the rules that are broken
  --fail-on LEVEL  end with status 1 where there is an error (error), a warning or worse
                   (warn), or anything (info)
  --roots ROOTS, --servername NAME, --insecure
                   for a server, as for capstan certificate inspect
  --help

  capstan certificate lint issuer.crt
  capstan certificate lint web.crt --defects --fail-on error
  capstan certificate lint ca.crl --defects

The status is 0, or 1 where there is nothing to look at or --fail-on says so.
`;

const options = {
  defects: { type: 'boolean', default: false },
  'fail-on': { type: 'string' },
  roots: { type: 'string' },
  servername: { type: 'string' },
  insecure: { type: 'boolean', default: false },
} as const;

const levels = ['info', 'warn', 'error'] as const;

export const command: Command = {
  summary: 'hold a certificate or a CRL against the rules for it',
  help,
  async run(args, context) {
    const { values, positionals } = readArguments(args, options, {
      command: 'lint',
      names: ['the certificate or CRL to look at'],
    });
    const level = readLevel(values['fail-on']);
    const { roots, servername: serverName, insecure } = values;
    const der = await readDer(positionals[0]!, { roots, serverName, insecure }, context);
    const findings = lint(der);
    const shown = values.defects ? defects(findings) : findings;
    const document = {
      version: 3,
      timestamp: Math.trunc(context.clock.now() / secondMs),
      lints: resultsOf(shown),
      notices_present: findings.some(({ result }) => result === 'info'),
      warnings_present: findings.some(({ result }) => result === 'warn'),
      errors_present: findings.some(({ result }) => result === 'error'),
      fatals_present: findings.some(({ result }) => result === 'fatal'),
    };
    context.stdout.write(`${JSON.stringify(document, null, 1)}\n`);
    return level !== undefined && findings.some(({ result }) => isAtLeast(result, level)) ? 1 : 0;
  },
};

function resultsOf(findings: readonly Finding[]): Record<string, { result: LintResult; details?: string }> {
  return Object.fromEntries(
    findings.map(({ rule, result }) => [
      rule.name,
      result === severityOf(rule) ? { result, details: `${rule.says} (${rule.source})` } : { result },
    ]),
  );
}

type Level = (typeof levels)[number];

function readLevel(text: string | undefined): Level | undefined {
  const level = levels.find((one) => one === text);
  if (text === undefined || level) return level;
  throw new Fault(`invalid value '${text}' for flag '--fail-on'; options are ${levels.join(', ')}`, {
    code: 'cli.usage',
    blame: 'caller',
    fix: 'see capstan certificate lint --help',
  });
}

function isAtLeast(result: LintResult, level: Level): boolean {
  const rank = result === 'fatal' ? levels.length : levels.findIndex((one) => one === result);
  return rank >= levels.indexOf(level);
}

/** The first certificate or CRL, unread: one that `inspect` refuses may be the very one to look at. */
async function readDer(
  input: string,
  access: { roots: string | undefined; serverName: string | undefined; insecure: boolean },
  context: CommandContext,
): Promise<Buffer> {
  if (parseServerAddress(input)) {
    return certificatesOf(await readInput(input, access, context), input)[0].der;
  }
  const { bytes, from } = await readInputBytes(input, context);
  if (!bytes.includes('-----BEGIN ')) return bytes;
  const blocks = decodePem(bytes.toString('latin1'));
  const first = blocks.find(({ label }) => label === 'CERTIFICATE' || label === 'X509 CRL');
  if (first) return first.bytes;
  const found = [...new Set(blocks.map(({ label }) => label))].join(', ');
  throw new Fault(`${from} holds no certificate and no CRL${found && `, only ${found}`}`, {
    code: 'cli.certificate.absent',
    blame: 'caller',
  });
}
