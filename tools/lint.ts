// npm run lint: format and lint, type-aware. npm run format (--write) mends what can be mended.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const write = process.argv.includes('--write');

const outcomes = [
  runTool('@biomejs/biome/bin/biome', ['check', '--error-on-warnings', ...(write ? ['--write'] : []), '.']),
  runTool('oxlint/bin/oxlint', [
    '--type-aware',
    '--deny-warnings',
    ...(write ? ['--fix'] : []),
    'src',
    'test',
    'tools',
    'bench',
  ]),
];
process.exit(outcomes.some((status) => status !== 0) ? 1 : 0);

function runTool(file: string, args: string[]): number {
  const path = join(root, 'node_modules', file);
  return spawnSync(process.execPath, [path, ...args], { cwd: root, stdio: 'inherit' }).status ?? 1;
}
