import { expect, test } from 'vitest';
import { requestInfo } from './request-info.ts';

test.each([
  [
    'GET',
    '/api/v1/namespaces',
    { verb: 'list', resource: { group: '', version: 'v1', plural: 'namespaces' } },
  ],
  [
    'GET',
    '/api/v1/namespaces/linkerd',
    { verb: 'get', resource: { group: '', version: 'v1', plural: 'namespaces', name: 'linkerd' } },
  ],
  [
    'PUT',
    '/api/v1/namespaces/linkerd/finalize',
    {
      verb: 'update',
      resource: { group: '', version: 'v1', plural: 'namespaces', name: 'linkerd', subresource: 'finalize' },
    },
  ],
  [
    'GET',
    '/api/v1/namespaces/linkerd/secrets?watch=1',
    { verb: 'watch', resource: { group: '', version: 'v1', plural: 'secrets', namespace: 'linkerd' } },
  ],
  [
    'GET',
    '/apis/cert-manager.io/v1/certificates?watch=false',
    { verb: 'list', resource: { group: 'cert-manager.io', version: 'v1', plural: 'certificates' } },
  ],
  [
    'PATCH',
    '/apis/cert-manager.io/v1/namespaces/linkerd/certificates/a/status',
    {
      verb: 'patch',
      resource: {
        group: 'cert-manager.io',
        version: 'v1',
        plural: 'certificates',
        namespace: 'linkerd',
        name: 'a',
        subresource: 'status',
      },
    },
  ],
  [
    'DELETE',
    '/api/v1/namespaces/linkerd/secrets',
    {
      verb: 'deletecollection',
      resource: { group: '', version: 'v1', plural: 'secrets', namespace: 'linkerd' },
    },
  ],
  ['GET', '/api/v1', { verb: 'get', resource: undefined }],
  ['GET', '/apis/apps/v1', { verb: 'get', resource: undefined }],
  ['GET', '/version?timeout=32s', { verb: 'get', resource: undefined }],
])('%s %s', (method, url, expected) => {
  const info = requestInfo(method, url);
  expect({ verb: info?.verb, resource: info?.resource }).toEqual(expected);
});

test('a path that cannot be decoded is none', () => {
  expect(requestInfo('GET', '/api/v1/namespaces/%zz')).toBeUndefined();
});
