import { expect, test } from 'vitest';
import { Fault } from '../../base/fault.ts';
import { SecretText } from '../../base/secret.ts';
import type { Cryptoki } from './cryptoki.ts';
import { pkcs11Library } from './library.ts';

/** A library with one token at slot 1 whose PIN is `1234`; all its sessions share one login, as the standard says. */
function fakeLibrary() {
  const state = { isAway: false, sessions: 0, loggedIn: false, called: [] as string[], underWay: 0, most: 0 };
  const away = () => new Fault('away', { code: 'vault.seal.away', blame: 'operator' });
  const act = (name: string, args: readonly unknown[]): number => {
    if (state.isAway) throw away();
    if (name === 'C_OpenSession') state.sessions += 1;
    if (name === 'C_Logout') state.loggedIn = false;
    if (name === 'C_CloseSession') {
      state.sessions -= 1;
      if (state.sessions === 0) state.loggedIn = false;
    }
    if (name !== 'C_Login') return 0;
    if (state.loggedIn) return 0x100;
    if ((args[2] as Buffer).toString() !== '1234') {
      throw new Fault('wrong', { code: 'vault.seal.pin', blame: 'operator' });
    }
    state.loggedIn = true;
    return 0;
  };
  const cryptoki: Cryptoki = {
    address: () => 1n,
    async call(name, args) {
      state.called.push(name);
      state.underWay += 1;
      state.most = Math.max(state.most, state.underWay);
      await new Promise(setImmediate);
      state.underWay -= 1;
      return act(name, args);
    },
    async restart() {
      state.called.push('restart');
      Object.assign(state, { sessions: 0, loggedIn: false });
      if (state.isAway) throw away();
    },
  };
  return { state, cryptoki, library: pkcs11Library(async () => cryptoki) };
}

const right = { slot: 1n, pin: new SecretText('1234') };
const wrong = { slot: 1n, pin: new SecretText('0000') };
const nothing = async () => {};
const count = (called: readonly string[], name: string) => called.filter((one) => one === name).length;

test('all that is done follows one another in one session', async () => {
  const { state, cryptoki, library } = fakeLibrary();
  const call = () => cryptoki.call('C_Sign', []);
  await Promise.all(Array.from({ length: 20 }, () => library.use(right, async () => void (await call()))));
  expect(state.most).toBe(1);
  expect(count(state.called, 'C_OpenSession')).toBe(1);
  expect(count(state.called, 'C_Login')).toBe(1);
});

test('a wrong PIN is looked at though another is logged in, and once; the right one goes on', async () => {
  const { state, library } = fakeLibrary();
  await library.use(right, nothing);
  for (let times = 0; times < 4; times++) {
    await expect(library.use(wrong, nothing)).rejects.toMatchObject({ code: 'vault.seal.pin' });
    await library.use(right, nothing);
  }
  expect(count(state.called, 'C_Login')).toBe(3);
  expect(state.sessions).toBe(1);
});

test('what one does wrong is not another one’s trouble', async () => {
  const { library } = fakeLibrary();
  const failing = library.use(right, async () => {
    throw new Error('mine');
  });
  const other = library.use(right, async () => 'fine');
  await expect(failing).rejects.toThrow('mine');
  expect(await other).toBe('fine');
});

test('a token that went away is opened anew, within the same request where it is back by then', async () => {
  const { state, cryptoki, library } = fakeLibrary();
  await library.use(right, nothing);
  let attempts = 0;
  const work = async () => {
    attempts += 1;
    if (attempts === 1) throw new Fault('gone', { code: 'vault.seal.away', blame: 'operator' });
    return 'back';
  };
  expect(await library.use(right, work)).toBe('back');
  expect(count(state.called, 'restart')).toBe(1);

  state.isAway = true;
  for (let times = 0; times < 3; times++) {
    const signing = library.use(right, async () => void (await cryptoki.call('C_Sign', [])));
    await expect(signing).rejects.toMatchObject({ code: 'vault.seal.away' });
  }
  state.isAway = false;
  expect(await library.use(right, async () => 'again')).toBe('again');
});

test('a library that cannot be loaded is tried again', async () => {
  const { cryptoki } = fakeLibrary();
  let isThere = false;
  const library = pkcs11Library(async () => {
    if (isThere) return cryptoki;
    throw new Fault('absent', { code: 'vault.seal.config', blame: 'operator' });
  });
  await expect(library.use(right, nothing)).rejects.toMatchObject({ code: 'vault.seal.config' });
  isThere = true;
  expect(await library.use(right, async () => 'there')).toBe('there');
});

test('more than can be served in time are refused at once', async () => {
  const { library } = fakeLibrary();
  const { promise, resolve } = Promise.withResolvers<void>();
  const waiting = Array.from({ length: 256 }, () => library.use(right, () => promise));
  await expect(library.use(right, nothing)).rejects.toThrow('too many requests wait');
  resolve();
  await Promise.all(waiting);
  await library.use(right, nothing);
});
