import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { appRoleRoutes } from '../src/vault/auth/approle/approle-method.ts';
import { certRoutes } from '../src/vault/auth/cert/cert-method.ts';
import { jwtRoutes } from '../src/vault/auth/jwt/jwt-method.ts';
import { kubernetesRoutes } from '../src/vault/auth/kubernetes/kubernetes-method.ts';
import { cubbyholeRoutes } from '../src/vault/cubbyhole/cubbyhole-routes.ts';
import { systemRoutes } from '../src/vault/open-vault.ts';
import { pkiAcmeRoutes, pkiRoutes, tidyRoutes } from '../src/vault/pki/pki-engine.ts';
import type { Route } from '../src/vault/routing/route.ts';
import { sealRoutes } from '../src/vault/seal/seal-routes.ts';
import { tokenRoutes } from '../src/vault/token/token-routes.ts';
import { root } from '../tools/sources.ts';

/** The page tells users what is served; so it lists every route, with its operations and who gets through. */
test('docs/reference/vault.md lists what is served, no more and no less', () => {
  const page = readFileSync(join(root, 'docs', 'reference', 'vault.md'), 'utf8');
  const listed = [...page.matchAll(/^\| `([^`]+)` \| ([a-z, ]+) \| (\S+) \|/gm)].map(([, ...row]) => row);
  const served = [
    ...rows('sys/', sealRoutes),
    ...rows('sys/', systemRoutes),
    ...rows('auth/token/', tokenRoutes),
    ...rows('auth/approle/', appRoleRoutes),
    ...rows('auth/kubernetes/', kubernetesRoutes),
    ...rows('auth/cert/', certRoutes),
    ...rows('auth/jwt/', jwtRoutes),
    ...rows('cubbyhole/', cubbyholeRoutes),
    ...rows('pki/', pkiRoutes),
    ...rows('pki/', tidyRoutes),
    // Directories lie in four places and are alike; one of them is listed.
    ...rows(
      'pki/',
      pkiAcmeRoutes.filter(({ path }) => !/^(issuer|roles)\//.test(path)),
    ),
  ];
  expect(served.length).toBeGreaterThan(50);
  expect(listed).toEqual(served);
});

function rows<Context>(mount: string, routes: readonly Route<Context>[]): string[][] {
  return routes.map(({ path, handlers, open, sudo }) => {
    const who = open ? 'anyone' : sudo ? '`sudo`' : 'policy';
    return [mount + path, Object.keys(handlers).join(', '), who];
  });
}
