// npm pack and npm publish run this before and after: what is published is compiled and runs on the Node that is
// there, so the Nodes that a checkout brings along (and what only a checkout needs) are left out of its manifest.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './sources.ts';

const manifest = join(root, 'package.json');
const folder = join(root, 'node_modules', '.cache', 'capstan');
const kept = join(folder, 'package.json');

if (process.argv.includes('restore')) {
  copyFileSync(kept, manifest);
} else {
  mkdirSync(folder, { recursive: true });
  copyFileSync(manifest, kept);
  const {
    optionalDependencies: _nodes,
    devDependencies: _tools,
    scripts: _scripts,
    ...published
  } = JSON.parse(readFileSync(manifest, 'utf8')) as Record<string, unknown>;
  // npm reads the script to run after packing from this very file.
  const scripts = { postpack: 'node tools/setup.mjs dev tools/manifest.ts restore' };
  writeFileSync(manifest, `${JSON.stringify({ ...published, scripts }, null, 2)}\n`);
}
