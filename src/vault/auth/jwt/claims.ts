import { Fault } from '../../../base/fault.ts';
import { matchesGlob } from '../glob.ts';

export type Claims = Readonly<Record<string, unknown>>;

/** Why a token's claims do not let it in. Each of these has Vault's words. */
function refusal(message: string): Fault {
  return new Fault(message, { code: 'vault.jwt', blame: 'caller' });
}

/** What a claim says: a name at the top, or a JSON pointer (RFC 6901) where it begins with a slash. */
export function claimAt(claims: Claims, name: string): unknown {
  if (!name.startsWith('/')) return own(claims, name);
  const steps = name.slice(1).split('/');
  return steps.reduce<unknown>(
    (at, step) => own(at, step.replaceAll('~1', '/').replaceAll('~0', '~')),
    claims,
  );
}

function own(at: unknown, name: string): unknown {
  if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
  if (Array.isArray(at) && !/^\d+$/.test(name)) return undefined;
  return (at as Record<string, unknown>)[name] ?? undefined;
}

export interface TimeLeeways {
  /** How long a token lasts that does not say it; negative for not at all, 0 for the default. */
  expirationMs: number;
  /** How long before its end a token begins that does not say it; likewise. */
  notBeforeMs: number;
  /** By how much clocks may differ; likewise. */
  clockSkewMs: number;
}

const defaultLeewayMs = 150_000;
const defaultSkewMs = 60_000;

/** @throws Fault `vault.jwt` where the token is not for now */
export function checkTimes(claims: Claims, leeways: TimeLeeways, nowMs: number): void {
  const issued = instant(claims, 'iat');
  const [givenStart, givenEnd] = [instant(claims, 'nbf'), instant(claims, 'exp')];
  if (issued === undefined && givenStart === undefined && givenEnd === undefined) {
    throw refusal('no issued at (iat), not before (nbf), or expiration time (exp) claims in token');
  }
  const endMs =
    givenEnd ?? Math.max(issued ?? 0, givenStart ?? 0) + effective(leeways.expirationMs, defaultLeewayMs);
  const startMs = givenStart ?? issued ?? endMs - effective(leeways.notBeforeMs, defaultLeewayMs);
  const skewMs = effective(leeways.clockSkewMs, defaultSkewMs);
  if (nowMs + skewMs < startMs) throw refusal('invalid not before (nbf) claim: token not yet valid');
  if (nowMs - skewMs >= endMs) throw refusal('invalid expiration time (exp) claim: token is expired');
  if (issued !== undefined && nowMs + skewMs < issued) {
    throw refusal('invalid issued at (iat) claim: token issued in the future');
  }
}

function effective(ms: number, defaultMs: number): number {
  return ms < 0 ? 0 : ms === 0 ? defaultMs : ms;
}

function instant(claims: Claims, name: string): number | undefined {
  const value = own(claims, name);
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw refusal(`malformed jwt: its ${name} is no time`);
  }
  return value * 1_000;
}

/** @throws Fault `vault.jwt` */
export function checkAudience(claims: Claims, bound: readonly string[]): void {
  const given = own(claims, 'aud');
  const audiences = given === undefined ? [] : Array.isArray(given) ? (given as unknown[]) : [given];
  if (bound.length === 0) {
    if (audiences.length === 0) return;
    throw refusal('audience claim found in JWT but no audiences bound to the role');
  }
  if (!audiences.some((audience) => bound.includes(audience as string))) {
    throw refusal('invalid audience (aud) claim: audience claim does not match any expected audience');
  }
}

/** @throws Fault `vault.jwt` */
export function checkExact(claims: Claims, name: 'iss' | 'sub', expected: string): void {
  if (expected === '' || own(claims, name) === expected) return;
  const what = name === 'iss' ? 'issuer' : 'subject';
  throw refusal(`invalid ${what} (${name}) claim`);
}

/** Every claim must have one of the values that the role binds it to. @throws Fault `vault.jwt` */
export function checkBoundClaims(
  claims: Claims,
  bound: Readonly<Record<string, unknown>>,
  globs: boolean,
): void {
  for (const [name, expected] of Object.entries(bound)) {
    const actual = claimAt(claims, name);
    if (actual === undefined) throw refusal(`claim ${JSON.stringify(name)} is missing`);
    const values = listOf(actual);
    if (!values) throw refusal('received claim is not a string, bool, int or list');
    const matches = (value: unknown, wanted: unknown) =>
      globs && typeof value === 'string' && typeof wanted === 'string'
        ? matchesGlob(wanted, value)
        : !globs && value === wanted;
    const wanted = listOf(expected) ?? [];
    if (!values.some((value) => wanted.some((each) => matches(value, each)))) {
      throw refusal(`claim ${JSON.stringify(name)} does not match any associated bound claim values`);
    }
  }
}

/** A list, or the one value that stands for a list of it; undefined for what is neither. */
export function listOf(value: unknown): readonly unknown[] | undefined {
  if (Array.isArray(value)) return value as unknown[];
  return ['string', 'boolean', 'number'].includes(typeof value) ? [value] : undefined;
}

/** What the claims say of the user, as the role maps it. @throws Fault `vault.jwt` */
export function mappedClaims(
  claims: Claims,
  mappings: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(mappings).flatMap(([name, target]) => {
      const value = claimAt(claims, name);
      if (value === undefined) return [];
      if (typeof value !== 'string') throw refusal(`error converting claim '${name}' to string`);
      return [[target, value]];
    }),
  );
}

/** @throws Fault `vault.jwt` where the user's name is not there as text */
export function userOf(claims: Claims, name: string, isPointer: boolean): string {
  const user = isPointer ? claimAt(claims, name) : own(claims, name);
  if (user === undefined) throw refusal(`claim ${JSON.stringify(name)} not found in token`);
  if (typeof user !== 'string') {
    throw refusal(`claim ${JSON.stringify(name)} could not be converted to string`);
  }
  return user;
}

/** @throws Fault `vault.jwt` where the groups are not there as texts */
export function checkGroups(claims: Claims, name: string): void {
  if (name === '') return;
  const groups = claimAt(claims, name);
  if (groups === undefined)
    throw refusal(`failed to fetch groups: ${JSON.stringify(name)} claim not found in token`);
  const list = listOf(groups);
  if (!list) throw refusal(`${JSON.stringify(name)} claim could not be converted to string list`);
  if (list.some((group) => typeof group !== 'string')) {
    throw refusal('a value in groups claim could not be parsed as string');
  }
}
