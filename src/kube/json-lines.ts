import { Fault } from '../base/fault.ts';

const newline = 0x0a;

/**
 * The JSON documents of a body that holds one a line, as a watch answers. Bytes are joined before they are
 * decoded, so a character may be split between chunks.
 *
 * @throws Fault `kube.watch.large` for a line past `limitBytes`, `kube.watch.malformed` for a line that is not
 *   JSON, `kube.watch.cut` where the body ends inside a line.
 */
export async function* jsonLines(body: AsyncIterable<Buffer>, limitBytes: number): AsyncGenerator {
  let pending: Buffer[] = [];
  let pendingBytes = 0;
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      pending.push(chunk.subarray(start, end));
      pendingBytes += end - start;
      if (pendingBytes > limitBytes) throw tooLarge(limitBytes);
      const line = pending.length === 1 ? pending[0]! : Buffer.concat(pending, pendingBytes);
      pending = [];
      pendingBytes = 0;
      start = end + 1;
      if (line.length > 0) yield parseLine(line);
    }
    if (start < chunk.length) {
      pending.push(chunk.subarray(start));
      pendingBytes += chunk.length - start;
      if (pendingBytes > limitBytes) throw tooLarge(limitBytes);
    }
  }
  if (pendingBytes > 0) {
    throw new Fault('the watch was cut inside an event', { code: 'kube.watch.cut', blame: 'peer' });
  }
}

function parseLine(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch (error) {
    throw new Fault('the watch sent a line that is not JSON', {
      code: 'kube.watch.malformed',
      blame: 'peer',
      cause: error,
    });
  }
}

function tooLarge(limitBytes: number): Fault {
  return new Fault(`the watch sent an event larger than ${limitBytes} bytes`, {
    code: 'kube.watch.large',
    blame: 'peer',
  });
}
