import type { Duplex } from 'node:stream';
import { Fault } from '../base/fault.ts';

/** What a serving workload answers to each line: who it is, and who it takes the sender for. */
export interface ExchangeAnswer {
  server: string;
  client: string;
  line: string;
}

const longestLineBytes = 64 * 1_024;

/** Calls `onLine` for each line of `stream`; ends the stream where one is too long. */
function readLines(stream: Duplex, onLine: (line: string) => void): void {
  let rest: Buffer = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      onLine(rest.toString('utf8', 0, end));
      rest = rest.subarray(end + 1);
    }
    if (rest.length > longestLineBytes) stream.destroy();
  });
}

/** Answers each line of an accepted connection with one line of JSON, until the far end hangs up. */
export function answerExchanges(stream: Duplex, who: { server: string; client: string }): void {
  readLines(stream, (line) => {
    const answer: ExchangeAnswer = { ...who, line };
    stream.write(`${JSON.stringify(answer)}\n`);
  });
}

/** The asking side of one connection. */
export interface Conversation {
  /**
   * Sends a line and waits for its answer.
   *
   * @throws Fault `proxy.exchange.ended` where the far end hung up, `proxy.exchange.late`, `proxy.exchange.answer`
   */
  exchange(line: string, timeoutMs: number): Promise<ExchangeAnswer>;
  /** How many lines have been answered. */
  readonly answered: number;
  close(): void;
}

export function converse(stream: Duplex): Conversation {
  const waiting: { resolve: (answer: string) => void; reject: (fault: Fault) => void }[] = [];
  let answered = 0;
  const end = () => {
    for (const { reject } of waiting.splice(0)) reject(fault('ended', 'the server hung up'));
  };
  readLines(stream, (line) => {
    answered++;
    waiting.shift()?.resolve(line);
  });
  // What broke it is told by the exchange that fails for it.
  stream.on('error', () => {});
  stream.once('end', end);
  stream.once('close', end);
  return {
    async exchange(line, timeoutMs) {
      if (stream.destroyed || stream.readableEnded) throw fault('ended', 'the server hung up');
      const answer = await new Promise<string>((resolve, reject) => {
        const late = setTimeout(() => {
          reject(fault('late', `no answer within ${timeoutMs} ms`));
          stream.destroy();
        }, timeoutMs);
        const settled =
          <T>(settle: (value: T) => void) =>
          (value: T) => {
            clearTimeout(late);
            settle(value);
          };
        waiting.push({ resolve: settled(resolve), reject: settled(reject) });
        stream.write(`${line}\n`);
      });
      return readAnswer(answer, line);
    },
    get answered() {
      return answered;
    },
    close: () => stream.end(),
  };
}

function readAnswer(text: string, sent: string): ExchangeAnswer {
  let answer: Partial<ExchangeAnswer>;
  try {
    answer = JSON.parse(text) as Partial<ExchangeAnswer>;
  } catch (error) {
    throw fault('answer', 'the answer is not JSON', error);
  }
  const { server, client, line } = answer;
  if (typeof server !== 'string' || typeof client !== 'string' || line !== sent) {
    throw fault('answer', 'the answer is to something else');
  }
  return { server, client, line };
}

function fault(kind: string, message: string, cause?: unknown): Fault {
  return new Fault(message, {
    code: `proxy.exchange.${kind}`,
    blame: 'peer',
    ...(cause === undefined ? {} : { cause }),
  });
}
