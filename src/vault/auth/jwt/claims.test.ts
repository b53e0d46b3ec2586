import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkAudience, checkBoundClaims, checkTimes, claimAt, mappedClaims, userOf } from './claims.ts';

const none = { expirationMs: -1, notBeforeMs: -1, clockSkewMs: -1 };
const standard = { expirationMs: 0, notBeforeMs: 0, clockSkewMs: 0 };
const nowMs = 1_800_000_000_000;
const now = nowMs / 1_000;

describe('times', () => {
  test.each([
    [{ exp: now + 1, iat: now }, none, undefined],
    [{ exp: now + 150 }, { ...standard, clockSkewMs: -1 }, undefined],
    [{ exp: now + 151 }, { ...standard, clockSkewMs: -1 }, 'token not yet valid'],
    [{ exp: now, iat: now }, none, 'token is expired'],
    [{ exp: now - 59 }, standard, undefined],
    [{ exp: now - 60 }, standard, 'token is expired'],
    [{ exp: now + 9, nbf: now + 1 }, none, 'token not yet valid'],
    [{ exp: now + 9, nbf: now + 60 }, standard, undefined],
    [{ exp: now + 9, iat: now + 61, nbf: now }, standard, 'issued in the future'],
    [{ iat: now - 149 }, { ...standard, clockSkewMs: -1 }, undefined],
    [{ iat: now - 150 }, { ...standard, clockSkewMs: -1 }, 'token is expired'],
    [{ iat: now - 1 }, none, 'token is expired'],
    [{}, standard, 'no issued at (iat)'],
    [{ exp: String(now + 1) }, none, 'its exp is no time'],
    [{ exp: Number.POSITIVE_INFINITY }, none, 'its exp is no time'],
    [{ exp: -1 }, none, 'its exp is no time'],
  ])('%j with %j: %s', (claims, leeways, problem) => {
    const check = () => checkTimes(claims, leeways, nowMs);
    if (problem === undefined) check();
    else expect(check).toThrow(problem);
  });

  test('what is past its end by more than clocks may differ never gets in', () => {
    const time = fc.option(fc.integer({ min: 0, max: 2 * now }), { nil: undefined });
    fc.assert(
      fc.property(time, time, fc.integer({ min: 0, max: now - 61 }), (iat, nbf, exp) => {
        const claims = Object.fromEntries(
          Object.entries({ iat, nbf, exp }).filter(([, value]) => value !== undefined),
        );
        expect(() => checkTimes(claims, standard, nowMs)).toThrow();
      }),
    );
  });
});

test.each([
  [undefined, [], true],
  ['a', [], false],
  [['a'], [], false],
  ['a', ['a', 'b'], true],
  [['c', 'b'], ['a', 'b'], true],
  [undefined, ['a'], false],
  [[], ['a'], false],
  ['ab', ['a'], false],
  [{ a: 1 }, ['a'], false],
])('an audience of %j for %j: %s', (aud, bound, fits) => {
  const check = () => checkAudience(aud === undefined ? {} : { aud }, bound);
  if (fits) check();
  else expect(check).toThrow(/audience/);
});

describe('bound claims', () => {
  const claims = { team: 'mesh', roles: ['a', 'b'], deep: { 'x/y': { '~': 7 } }, flag: true };

  test.each([
    [{ team: 'mesh' }, false, true],
    [{ team: ['other', 'mesh'] }, false, true],
    [{ team: 'me*' }, false, false],
    [{ team: 'me*' }, true, true],
    [{ roles: 'b' }, false, true],
    [{ roles: 'c' }, false, false],
    [{ '/deep/x~1y/~0': 7 }, false, true],
    [{ '/deep/x~1y/~0': '7' }, false, false],
    [{ flag: true }, false, true],
    [{ team: 'mesh', flag: false }, false, false],
    [{ absent: 'x' }, false, false],
    [{ absent: '*' }, true, false],
    [{ constructor: '*' }, true, false],
    [{ deep: 'x' }, false, false],
    [{ '/roles/0': 'a' }, false, true],
    [{ '/roles/length': 2 }, false, false],
  ])('%j with globs %s: %s', (bound, globs, fits) => {
    const check = () => checkBoundClaims(claims, bound, globs);
    if (fits) check();
    else expect(check).toThrow(/claim/);
  });

  test('what is mapped must be text, and what is not there is left out', () => {
    expect(mappedClaims(claims, { team: 'squad', '/none': 'x' })).toEqual({ squad: 'mesh' });
    expect(() => mappedClaims(claims, { roles: 'x' })).toThrow("error converting claim 'roles' to string");
    expect(userOf(claims, 'team', false)).toBe('mesh');
    expect(userOf(claims, '/roles/1', true)).toBe('b');
    expect(() => userOf(claims, '/roles/1', false)).toThrow('not found');
    expect(() => userOf(claims, 'flag', false)).toThrow('could not be converted to string');
  });
});

test('a claim is looked up without end, whatever its name', () => {
  fc.assert(
    fc.property(fc.object(), fc.string(), (claims, name) => {
      claimAt(claims, name);
      claimAt(claims, `/${name}`);
    }),
  );
});
