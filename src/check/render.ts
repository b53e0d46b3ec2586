import type { Finding } from './finding.ts';
import type { CheckReport } from './report.ts';

export interface TextOptions {
  /** Only what is not right. */
  short?: boolean;
  /** For terminals. */
  colour?: boolean;
}

const marks: Readonly<Record<Finding['result'], { mark: string; colour: number }>> = {
  success: { mark: '√', colour: 32 },
  warning: { mark: '‼', colour: 33 },
  error: { mark: '×', colour: 31 },
};

/** A report as `linkerd check` prints it, `-o table` and `-o short`, its last line included. */
export function reportText({ findings, success, warning }: CheckReport, options: TextOptions = {}): string {
  const { short = false, colour = false } = options;
  const mark = (result: Finding['result']) => {
    const { mark, colour: code } = marks[result];
    return colour ? `\u001b[${code};1m${mark}\u001b[0m` : mark;
  };
  const shown = short ? findings.filter(({ result }) => result !== 'success') : findings;
  const categories = Map.groupBy(shown, ({ category }) => category);
  const sections = [...categories].map(([category, found]) =>
    [
      category,
      '-'.repeat(category.length),
      ...found.flatMap(({ result, description, error, hint }) => [
        `${mark(result)} ${description}`,
        ...(error === undefined ? [] : [`    ${error}`]),
        ...(hint === undefined ? [] : [`    see ${hint} for hints`]),
      ]),
    ].join('\n'),
  );
  // Silence when all is well is the point of the short form: then not even an empty line is printed.
  const gap = !short || !success || warning ? '\n' : '';
  const body = sections.map((section) => `${section}\n`).join('\n');
  return `${body}${gap}Status check results are ${mark(success ? 'success' : 'error')}\n`;
}

/** A report as `linkerd check -o json` prints it. */
export function reportJson({ findings, success }: CheckReport): string {
  const categories = Map.groupBy(findings, ({ category }) => category);
  const document = {
    success,
    categories: [...categories].map(([categoryName, found]) => ({
      categoryName,
      checks: found.map(({ description, hint, error, result }) => ({
        description,
        ...(hint === undefined ? {} : { hint }),
        ...(error === undefined ? {} : { error }),
        result,
      })),
    })),
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}
