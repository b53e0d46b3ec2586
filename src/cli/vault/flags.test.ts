import { expect, test } from 'vitest';
import { Failure } from './failure.ts';
import { type Flag, parseFlags } from './flags.ts';

const known: readonly Flag[] = [
  { name: 'field', kind: 'text', help: '' },
  { name: 'address', kind: 'text', variable: 'ADDR', default: 'https://127.0.0.1:8200', help: '' },
  { name: 'force', kind: 'switch', aliases: ['f'], help: '' },
  { name: 'renewable', kind: 'switch', default: 'true', help: '' },
  { name: 'ttl', kind: 'duration', variable: 'TTL', help: '' },
  { name: 'limit', kind: 'whole', default: '-1', help: '' },
  { name: 'policy', kind: 'list', variable: 'POLICIES', help: '' },
  { name: 'metadata', kind: 'map', help: '' },
];

const parse = (args: string[], env = {}) => parseFlags(known, args, env);

function problem(...args: string[]): string {
  try {
    parse(args);
  } catch (error) {
    expect(error).toBeInstanceOf(Failure);
    expect((error as Failure).status).toBe(1);
    return (error as Failure).message;
  }
  throw new Error(`${args.join(' ')} was accepted`);
}

test('one dash or two, the value behind = or a space', () => {
  for (const args of [['-field=token'], ['--field=token'], ['-field', 'token'], ['--field', 'token']]) {
    const { flags, rest } = parse([...args, 'auth/token/create', 'ttl=767h']);
    expect(flags.text('field')).toBe('token');
    expect(flags.given('field')).toBe(true);
    expect(rest).toEqual(['auth/token/create', 'ttl=767h']);
  }
});

test('a value may look like a flag, hold = signs or be empty', () => {
  expect(parse(['-field', '-x']).flags.text('field')).toBe('-x');
  expect(parse(['-field=a=b']).flags.text('field')).toBe('a=b');
  expect(parse(['-field=', 'x']).flags.text('field')).toBe('');
});

test('a switch takes its value only behind =', () => {
  expect(parse(['-force', 'false'])).toMatchObject({ rest: ['false'] });
  expect(parse(['-f']).flags.on('force')).toBe(true);
  expect(parse(['-renewable=f']).flags.on('renewable')).toBe(false);
  expect(parse([]).flags.on('renewable')).toBe(true);
});

test('flags end at the first argument, at a lone dash, and behind --', () => {
  expect(parse(['pki', '-force']).rest).toEqual(['pki', '-force']);
  expect(parse(['-', '-force']).rest).toEqual(['-', '-force']);
  expect(parse(['-force', '--', '-field']).rest).toEqual(['-field']);
});

test.each([
  ['90', 90_000],
  ['2160h', 7_776_000_000],
  ['1h30m', 5_400_000],
  ['90d', 7_776_000_000],
  ['', 0],
  ['system', -1_000],
])('a duration of %j is %d ms', (text, ms) => {
  expect(parse([`-ttl=${text}`]).flags.durationMs('ttl')).toBe(ms);
});

test('lists and maps grow with each use', () => {
  const { flags } = parse(['-policy=a', '-policy', ' b ', '-metadata=k=v=w', '-metadata', 'l=']);
  expect(flags.list('policy')).toEqual(['a', 'b']);
  expect(flags.map('metadata')).toEqual({ k: 'v=w', l: '' });
  expect(parse([]).flags.list('policy')).toEqual([]);
  expect(parse([]).flags.map('metadata')).toBeUndefined();
});

test('the environment stands in for a flag, BAO_ before VAULT_, and a flag goes before both', () => {
  const env = { VAULT_ADDR: 'http://v', BAO_ADDR: 'http://b' };
  expect(parse([], { VAULT_ADDR: 'http://v' }).flags.text('address')).toBe('http://v');
  expect(parse([], env).flags.text('address')).toBe('http://b');
  expect(parse(['-address=http://f'], env).flags.text('address')).toBe('http://f');
  expect(parse([]).flags.text('address')).toBe('https://127.0.0.1:8200');
  expect(parse([], { VAULT_TTL: '5m' }).flags.durationMs('ttl')).toBe(300_000);
  expect(parse([], { VAULT_TTL: 'soon' }).flags.durationMs('ttl')).toBe(0);
  expect(parse(['-policy=c'], { VAULT_POLICIES: 'a, b' }).flags.list('policy')).toEqual(['a', 'b', 'c']);
});

test.each([
  [['-nope'], 'flag provided but not defined: -nope'],
  [['--nope=1'], 'flag provided but not defined: -nope'],
  [['-field'], 'flag needs an argument: -field'],
  [['---field'], 'bad flag syntax: ---field'],
  [['-=x'], 'bad flag syntax: -=x'],
  [
    ['-force=maybe'],
    'invalid boolean value "maybe" for -force: strconv.ParseBool: parsing "maybe": invalid syntax',
  ],
  [['-limit=x'], 'invalid value "x" for flag -limit: strconv.ParseInt: parsing "x": invalid syntax'],
  [['-ttl=soon'], 'invalid value "soon" for flag -ttl: time: invalid duration "soon"'],
  [['-ttl=1x'], 'invalid value "1x" for flag -ttl: time: unknown unit "x" in duration "1x"'],
  [['-ttl=1.5'], 'invalid value "1.5" for flag -ttl: time: missing unit in duration "1.5"'],
  [['-metadata=k'], 'invalid value "k" for flag -metadata: missing = in KV pair: "k"'],
])('%j is refused: %s', (args, message) => {
  expect(problem(...args)).toBe(message);
});

test('asking for a flag that a command does not have is a bug', () => {
  expect(() => parse([]).flags.text('colour')).toThrow('no flag -colour');
});
