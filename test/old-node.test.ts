import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { root, temporaryFolder } from './support/capstan.ts';

const folder = temporaryFolder();
afterAll(folder.remove);

/** The first `node` on the PATH that is not the checkout's own, if it is older than what Capstan needs. */
function oldNode(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((path) => !path.includes('node_modules'));
  const found = folders
    .map((path) => join(path, 'node'))
    .find((path) => spawnSync(path, ['--version']).status === 0);
  if (found === undefined) return undefined;
  const version = spawnSync(found, ['--version'], { encoding: 'utf8' }).stdout;
  return Number(/^v(\d+)/.exec(version)?.[1]) < 24 ? found : undefined;
}

const node = oldNode();

test.skipIf(node === undefined)(
  'a Node that is too old, and none brought along: one clear line with the mend',
  () => {
    cpSync(join(root, 'bin'), join(folder.path, 'bin'), { recursive: true });
    mkdirSync(join(folder.path, 'src'));
    const { status, stdout, stderr } = spawnSync(node!, [join(folder.path, 'bin', 'capstan.mjs'), 'up'], {
      encoding: 'utf8',
    });
    expect(status).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(
      /^capstan: needs Node\.js 24 or newer, this is 2\d\.\d+\.\d+; install it .*npm ci.*\n$/,
    );
  },
);

test.skipIf(node === undefined)('started by an old Node, the checkout runs on the one that it brings', () => {
  const { status, stdout } = spawnSync(node!, [join(root, 'bin', 'capstan.mjs'), '--version'], {
    encoding: 'utf8',
  });
  expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringMatching(/^capstan \d+\.\d+\.\d+/) });
});
