// Brings what the checkout needs and hands over to Node 24. This file and bin/capstan.mjs are all that the
// machine's own Node (20 or newer) ever runs, hence plain JavaScript without dependencies.
//
//   node tools/setup.mjs run  FILE [ARG...]   runtime dependencies only
//   node tools/setup.mjs dev  FILE [ARG...]   development dependencies too
//   node tools/setup.mjs test FILE [ARG...]   those, and the Debian programs that the tests drive
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runWithBundledNode } from '../bin/bundled-node.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Programs that tests start as real peers: what tells that one is here -> its Debian package. */
const testPrograms = {
  'command -v openssl': 'openssl',
  'ls /usr/sbin/nginx': 'nginx',
  'command -v strace': 'strace',
  'command -v softhsm2-util': 'softhsm2',
  // Debian's package of the command itself would renew certificates by a timer.
  'command -v certbot || /usr/bin/python3 -c "import certbot"': 'python3-certbot',
  'command -v lego': 'lego',
  // Debian keeps a server's programs off the PATH, in a folder for each version.
  'ls /usr/lib/postgresql/*/bin/initdb': 'postgresql',
};

const [mode, file, ...args] = process.argv.slice(2);
if (!['run', 'dev', 'test'].includes(mode) || file === undefined) {
  fail('usage: node tools/setup.mjs run|dev|test FILE [ARG...]');
}
installPackages(mode === 'run' ? 'run' : 'dev');
if (mode === 'test') installTestPrograms();
runWithBundledNode(root, [join(root, file), ...args]);

function installPackages(wanted) {
  const marker = join(root, 'node_modules', '.capstan-setup.json');
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex');
  const done = existsSync(marker) ? JSON.parse(readFileSync(marker, 'utf8')) : {};
  if (done.lock === lock && (done.mode === 'dev' || done.mode === wanted)) return;
  process.stderr.write('Setting up: installing packages from the npm registry (once)...\n');
  const omit = wanted === 'run' ? ['--omit=dev'] : [];
  const npm = spawnSync(
    'npm',
    ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...omit],
    { cwd: root, stdio: ['ignore', 2, 2], shell: process.platform === 'win32' },
  );
  if (npm.error) fail(`npm could not be started (${npm.error.message}); install Node.js with npm`);
  if (npm.status !== 0) fail('npm ci failed; see its message above (is the npm registry reachable?)');
  mkdirSync(dirname(marker), { recursive: true });
  writeFileSync(marker, JSON.stringify({ lock, mode: wanted }));
}

function installTestPrograms() {
  const missing = Object.entries(testPrograms)
    .filter(([check]) => spawnSync('sh', ['-c', check]).status !== 0)
    .map(([, debianPackage]) => debianPackage);
  if (missing.length === 0) return;
  const install = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (process.getuid?.() !== 0 || spawnSync('sh', ['-c', 'command -v apt-get']).status !== 0) {
    fail(`the tests drive programs that are not here; install them first: sudo ${install}`);
  }
  process.stderr.write(`Setting up: ${install}\n`);
  if (missing.includes('postgresql')) withoutDefaultCluster();
  const apt = spawnSync('sh', ['-c', `apt-get update -qq && DEBIAN_FRONTEND=noninteractive ${install} -qq`], {
    stdio: ['ignore', 2, 2],
  });
  if (apt.status !== 0) fail(`this failed: ${install}`);
}

/** Debian's package makes and starts a database server on port 5432; the tests start their own and need none. */
function withoutDefaultCluster() {
  const folder = '/etc/postgresql-common/createcluster.d';
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'capstan-tests.conf'), 'create_main_cluster = false\n');
}

function fail(message) {
  process.stderr.write(`capstan: ${message}\n`);
  process.exit(1);
}
