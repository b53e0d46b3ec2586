import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { SecretText } from '../base/secret.ts';
import { postgresTarget } from './postgres-address.ts';

const target = (url: string, more = {}) => postgresTarget({ url: new SecretText(url), ...more });
const refused = expect.objectContaining({ code: 'store.postgres.address', fix: expect.any(String) });

function thrown(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

test('a URL says who, where and what, percent-encoded where need be', () => {
  const { password, ...rest } = target('postgresql://an%40na:s%2Fcret@db.example:6432/the%20store');
  expect(rest).toEqual({
    name: 'PostgreSQL at db.example:6432 (database the store, user an@na)',
    host: 'db.example',
    port: 6432,
    user: 'an@na',
    database: 'the store',
    tls: { servername: 'db.example' },
  });
  expect(password!.reveal()).toBe('s/cret');
  expect(inspect({ password })).not.toContain('s/cret');
});

test('what a URL leaves out is what libpq takes, without looking into the environment', () => {
  expect(target('postgres://anna@localhost')).toMatchObject({
    port: 5432,
    database: 'anna',
    password: undefined,
  });
  expect(target('postgres://anna@/db?host=/run/postgresql')).toMatchObject({
    host: '/run/postgresql',
    tls: false,
  });
  expect(target('postgres://%2Frun%2Fpostgresql/db?user=anna')).toMatchObject({ host: '/run/postgresql' });
  expect(target('postgres://anna@[::1]:7/db')).toMatchObject({ host: '::1', port: 7, tls: false });
  expect(postgresTarget({ user: 'anna' })).toMatchObject({
    host: 'localhost',
    database: 'anna',
    tls: false,
  });
});

test('what is given beside the URL wins', () => {
  const more = { host: 'b', port: 1, user: 'u', database: 'd', password: new SecretText('p'), tls: false };
  expect(target('postgres://x:y@a:2/z', more)).toEqual({
    name: 'PostgreSQL at b:1 (database d, user u)',
    ...more,
  });
});

test('sslmode means what it means to libpq; elsewhere than here the server is verified by default', () => {
  const ca = join(mkdtempSync(join(tmpdir(), 'capstan-postgres-ca-')), 'ca.pem');
  writeFileSync(ca, 'PEM');
  const tls = (settings: string, host = 'db') => target(`postgres://u@${host}/d?${settings}`).tls;
  expect(tls('')).toEqual({ servername: 'db' });
  expect(tls('', '127.0.0.1')).toBe(false);
  expect(tls('sslmode=verify-full', '10.0.0.1')).toEqual({});
  expect(tls('sslmode=disable')).toBe(false);
  expect(tls('sslmode=require')).toEqual({ rejectUnauthorized: false });
  const verified = { ca: Buffer.from('PEM'), checkServerIdentity: expect.any(Function) };
  expect(tls(`sslmode=require&sslrootcert=${ca}`)).toEqual(verified);
  expect(tls(`sslmode=verify-ca&sslrootcert=${ca}`)).toEqual(verified);
  expect(tls(`sslrootcert=${ca}`, 'localhost')).toEqual({ ca: Buffer.from('PEM'), servername: 'localhost' });
  expect(tls(`sslrootcert=${ca}&sslcert=${ca}&sslkey=${ca}`)).toMatchObject({
    servername: 'db',
    cert: Buffer.from('PEM'),
    key: Buffer.from('PEM'),
  });
});

test.each([
  ['no URL', 'user=anna password=hunter2'],
  ['another scheme', 'mysql://u:hunter2@h/d'],
  ['no user', 'postgres://h/d'],
  ['an sslmode that protects from nobody', 'postgres://u:hunter2@h/d?sslmode=prefer'],
  ['an unknown setting', 'postgres://u:hunter2@h/d?sslmod=verify-full'],
  ['a port that is none', 'postgres://u:hunter2@h/d?port=0'],
  ['a file that is not there', 'postgres://u:hunter2@h/d?sslrootcert=/absent'],
  ['broken percent-encoding', 'postgres://u:hunter2%@h/d'],
])('%s is refused, and the refusal holds no password', (_, url) => {
  const error = thrown(() => target(url));
  expect(error).toEqual(refused);
  expect(inspect(error, { depth: 9 })).not.toContain('hunter2');
});
