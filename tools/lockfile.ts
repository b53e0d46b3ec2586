// Run after `npm install` has changed package-lock.json: npm leaves optional platform packages out of the lock
// where the registry it asked (a mirror, an offline cache) does not hold them, and `npm ci` then refuses the
// lock everywhere. This adds them with the version and platform that their dependents name, so that each
// platform fetches its own and skips the rest.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './sources.ts';

interface LockedPackage {
  version?: string;
  os?: string[];
  cpu?: string[];
  libc?: string[];
  optional?: boolean;
  dev?: boolean;
  optionalDependencies?: Record<string, string>;
}

const path = join(root, 'package-lock.json');
const lock = JSON.parse(readFileSync(path, 'utf8')) as { packages: Record<string, LockedPackage> };
for (const parent of Object.values(lock.packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const entry = lock.packages[`node_modules/${name}`];
    if (entry?.version) continue;
    const dev = parent.dev ? { dev: true } : {};
    lock.packages[`node_modules/${name}`] = { version, ...platformOf(name), ...dev, optional: true };
  }
}
const { '': self, ...others } = lock.packages;
const sorted = Object.entries(others).toSorted(([a], [b]) => (a < b ? -1 : 1));
lock.packages = { '': self!, ...Object.fromEntries(sorted) };
writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);

function platformOf(name: string): LockedPackage {
  const words = name.split(/[/-]/);
  const pick = (candidates: readonly string[]) => candidates.find((word) => words.includes(word));
  const os = pick(['android', 'darwin', 'freebsd', 'linux', 'openharmony', 'win32']);
  const cpu = pick(['arm64', 'arm', 'ia32', 'ppc64', 'riscv64', 's390x', 'x64']);
  return {
    ...(os ? { os: [os] } : {}),
    ...(cpu ? { cpu: [cpu] } : {}),
    ...(name.includes('musl') ? { libc: ['musl'] } : {}),
  };
}
