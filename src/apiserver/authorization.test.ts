import { expect, test } from 'vitest';
import { attributesOf, grantAuthorizer, refusal, ruleAllows } from './authorization.ts';
import { builtInGrants } from './built-in-grants.ts';
import { uncovered } from './escalation.ts';
import { actingUser } from './impersonation.ts';
import { requestInfo } from './request-info.ts';

const grants = grantAuthorizer(builtInGrants);
const admin = { username: 'root', groups: ['system:masters', 'system:authenticated'] };
const bob = { username: 'bob', groups: ['system:authenticated'] };
const ask = (method: string, url: string) => attributesOf(requestInfo(method, url)!);

test.each([
  [admin, 'DELETE', '/api/v1/namespaces/x/secrets', true],
  [bob, 'GET', '/apis', true],
  [bob, 'GET', '/openapi/v3/api/v1', true],
  [bob, 'GET', '/metrics', false],
  [bob, 'POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', true],
  [bob, 'POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', false],
  [bob, 'GET', '/api/v1/namespaces/default/secrets', false],
])('%o %s %s: %s', (user, method, url, allowed) => {
  expect(grants.authorize(user, ask(method, url)).allowed).toBe(allowed);
});

test("trust-manager reads the trust namespaces' Secrets, and no others", () => {
  const user = { username: 'system:serviceaccount:cert-manager:trust-manager', groups: [] };
  const may = (url: string) => grants.authorize(user, ask('GET', url)).allowed;
  expect(may('/api/v1/namespaces/linkerd/secrets')).toBe(true);
  expect(may('/api/v1/namespaces/kube-system/secrets/x')).toBe(false);
  expect(may('/api/v1/secrets')).toBe(false);
});

test('rules name subresources and single objects', () => {
  const rule = { verbs: ['get'], apiGroups: [''], resources: ['pods/log', '*/status'], resourceNames: ['a'] };
  expect(ruleAllows(rule, ask('GET', '/api/v1/namespaces/x/pods/a/log'))).toBe(true);
  expect(ruleAllows(rule, ask('GET', '/api/v1/namespaces/x/nodes/a/status'))).toBe(true);
  expect(ruleAllows(rule, ask('GET', '/api/v1/namespaces/x/pods/b/log'))).toBe(false);
  expect(ruleAllows(rule, ask('GET', '/api/v1/namespaces/x/pods/a'))).toBe(false);
});

test('a list or watch of one name is about that name', () => {
  const attributes = ask('GET', '/api/v1/namespaces/x/secrets?watch=1&fieldSelector=metadata.name%3Da');
  expect(attributes).toMatchObject({ verb: 'watch', name: 'a' });
});

test('refusals are in upstream words', () => {
  expect(refusal(bob, ask('GET', '/apis/apps/v1/deployments'))).toBe(
    'User "bob" cannot list resource "deployments" in API group "apps" at the cluster scope',
  );
  expect(refusal(bob, ask('GET', '/metrics'))).toBe('User "bob" cannot get path "/metrics"');
});

test('only who may impersonate acts as another', () => {
  const headers = { 'impersonate-user': 'alice', 'impersonate-group': 'crew, officers' };
  expect(actingUser(admin, headers, grants)).toEqual({
    username: 'alice',
    groups: ['crew', 'officers', 'system:authenticated'],
  });
  expect(() => actingUser(bob, headers, grants)).toThrow(
    'users "alice" is forbidden: User "bob" cannot impersonate resource "users" in API group "" at the cluster scope',
  );
  expect(() => actingUser(bob, { 'impersonate-group': 'system:masters' }, grants)).toThrow(
    /without impersonating a user/,
  );
  expect(actingUser(bob, {}, grants)).toBe(bob);
});

test('what is given away must be held', () => {
  const held = [{ verbs: ['get', 'list'], apiGroups: [''], resources: ['secrets'] }];
  const rule = (verbs: string[], resources: string[]) => ({ verbs, apiGroups: [''], resources });
  expect(uncovered(held, [rule(['get'], ['secrets'])])).toEqual([]);
  expect(uncovered(held, [rule(['get', 'delete'], ['secrets'])])).toEqual([rule(['delete'], ['secrets'])]);
  expect(uncovered(held, [rule(['*'], ['secrets'])])).toEqual([rule(['*'], ['secrets'])]);
  expect(uncovered(held, [{ verbs: ['get'], nonResourceURLs: ['/metrics'] }])).toHaveLength(1);
});
