import { type OpenSink, systemSinks } from '../../vault/audit/sink.ts';
import type { CommandContext } from '../command.ts';

/** Where audit devices write: this machine's files and sockets, and the server's own output. */
export function sinks({ stdout }: CommandContext): OpenSink {
  return systemSinks(
    (text) =>
      new Promise((resolve, reject) => {
        stdout.write(text, (error) => (error ? reject(error) : resolve()));
      }),
  );
}
