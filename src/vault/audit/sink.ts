import type { AuditTarget } from './device.ts';
import { fileSink } from './file-sink.ts';
import { socketSink } from './socket-sink.ts';

/** Where the lines of an audit device go. */
export interface AuditSink {
  /** Resolves once the line is out of this process's hands. Each line ends in a newline. */
  write(line: string): Promise<void>;
  /** Lets go of what it holds open, to open it anew for the next line: files are moved away under it. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

/** Opens a sink; nothing is touched before the first line. `output` is the server's own standard output. */
export type OpenSink = (target: AuditTarget) => AuditSink;

/** Sinks to this machine's files and sockets. */
export function systemSinks(output: (text: string) => Promise<void>): OpenSink {
  return (target) => {
    switch (target.kind) {
      case 'file':
        return fileSink(target);
      case 'socket':
        return socketSink(target);
      case 'stdout':
        return { write: output, reopen: nothing, close: nothing };
      case 'discard':
        return { write: nothing, reopen: nothing, close: nothing };
    }
  };
}

const nothing = () => Promise.resolve();
