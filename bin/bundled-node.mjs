// Finds the Node 24 that a checkout brings (an optional dependency per platform) and runs a program on it.
// Runs on old Nodes: plain JavaScript, no dependencies.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

export const minimumNodeMajor = 24;

/** True where the Node that runs this is new enough. */
export function nodeIsNewEnough() {
  return Number(process.versions.node.split('.')[0]) >= minimumNodeMajor;
}

/** Absolute path of a Node >= 24: this one, or the one in the checkout's node_modules; undefined where neither is. */
export function findNode(root) {
  if (nodeIsNewEnough()) return process.execPath;
  const names = [`node-${process.platform}-${process.arch}`, `node-bin-${process.platform}-${process.arch}`];
  return names
    .map((name) => join(root, 'node_modules', name, 'bin', 'node'))
    .find((path) => existsSync(path));
}

/** Runs Node 24 with `args` in place of this process: same terminal, signals and exit status. */
export function runWithBundledNode(root, args) {
  const node = findNode(root);
  if (node === undefined) {
    process.stderr.write(
      `capstan: needs Node.js ${minimumNodeMajor} or newer, this is ${process.versions.node}; ` +
        'install it from nodejs.org, or run `npm ci` in the checkout, which brings one\n',
    );
    process.exit(1);
  }
  const child = spawn(node, args, { stdio: 'inherit' });
  // A terminal's Ctrl-C reaches the child by itself as well; being asked twice does no harm.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`capstan: ${node} could not be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1);
    process.removeAllListeners(signal);
    process.kill(process.pid, signal);
  });
}
