#!/usr/bin/env node
// The one entry point: guards the Node version, then runs the compiled program, or the sources in a checkout.
import { existsSync } from 'node:fs';
import module from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { nodeIsNewEnough, runWithBundledNode } from './bundled-node.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

if (nodeIsNewEnough()) {
  // Keeps compiled code (types stripped) on disk, which halves the start of every later process. In a folder of the
  // user's own: whoever can write there decides what runs, so never in the shared one that Node would take.
  const caches = process.env.XDG_CACHE_HOME || (process.env.HOME && join(process.env.HOME, '.cache'));
  if (caches) module.enableCompileCache?.(join(caches, 'capstan'));
  const sources = join(root, 'src', 'cli', 'main.ts');
  const { main } = await import(existsSync(sources) ? sources : join(root, 'dist', 'cli', 'main.js'));
  await main(process);
} else {
  runWithBundledNode(root, [fileURLToPath(import.meta.url), ...process.argv.slice(2)]);
}
