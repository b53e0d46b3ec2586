import { Fault } from '../../base/fault.ts';
import type { Following } from '../../store/following.ts';
import type { Entry, Store } from '../../store/store.ts';
import { invalidRequest } from '../faults.ts';
import type { Token } from '../token/token.ts';
import { type AccessList, accessList, rootAccess } from './access-list.ts';
import { defaultPolicy } from './default-policy.ts';
import { parsePolicy, resolvePolicy } from './policy.ts';
import { responseWrapping } from './response-wrapping.ts';

const prefix = 'policy/';
const nameLimitBytes = 512;
/** Sets of policies whose compiled form is kept; more than that many kinds of token are rare. */
const compiledLimit = 500;
/** Policies that are held as they were read; what is beyond that is read each time. */
const heldLimit = 5_000;

/** Who holds policies, and what fills their templates. */
export type PolicyHolder = Pick<Token, 'policies' | 'alias'>;

/** The access policies of a server, by name in lower case. `root` is not written down: it allows everything. */
export interface Policies {
  names(): Promise<string[]>;
  /** The text as it was written; undefined where there is none. */
  read(name: string): Promise<string | undefined>;
  /** @throws Fault `vault.policy` for text that is no policy, `vault.request.invalid` for `root` */
  write(name: string, source: string): Promise<void>;
  remove(name: string): Promise<void>;
  /** Those of `names` that do not exist. */
  missing(names: readonly string[]): Promise<string[]>;
  /** What these policies allow together; those that do not exist allow nothing. */
  access(holder: PolicyHolder): Promise<AccessList>;
}

/** `following`: whoever asks what policies allow has waited until it was fresh. */
export async function openPolicies(store: Store, following: Following): Promise<Policies> {
  await seedDefault(store);
  const held = heldEntries(store, following);
  /** By the names and revisions of the policies that it was made of, so that a change makes a new one. */
  const compiled = new Map<string, AccessList>();

  return {
    async names() {
      return [...(await store.list({ prefix })).map(({ key }) => key.slice(prefix.length)), 'root'];
    },
    async read(name) {
      if (name === 'root') return '';
      if (name === responseWrapping.name) return responseWrapping.text;
      return (await store.get(prefix + name))?.value.toString();
    },
    async write(name, source) {
      assertChangeable(name, 'update');
      parsePolicy(source);
      await store.commit({ puts: [{ key: prefix + name, value: Buffer.from(source) }] });
    },
    async remove(name) {
      assertChangeable(name, 'delete');
      if (name === 'default') throw invalidRequest('cannot delete default policy');
      await store.commit({ deletes: [prefix + name] });
    },
    async missing(names) {
      const written = names.filter((name) => name !== 'root');
      const found = await Promise.all(written.map((name) => store.get(prefix + name)));
      return written.filter((_, at) => !found[at]);
    },
    async access({ policies: names, alias }) {
      if (names.includes('root')) return rootAccess;
      const entries = (await Promise.all(names.map(held))).filter((entry) => !!entry);
      const wraps = names.includes(responseWrapping.name);
      const kind = [wraps, ...entries.map(({ key, revision }) => `${key}@${revision}`)].join(' ');
      // Who has an alias may reach what others with the same policies do not.
      const ofHolder = `${kind} ${JSON.stringify(alias ?? null)}`;
      const known = compiled.get(kind) ?? compiled.get(ofHolder);
      if (known) return known;
      const texts = entries.map(({ value }) => value.toString());
      const parsed = (wraps ? [...texts, responseWrapping.text] : texts).map(parsePolicy);
      const made = accessList(parsed.map((policy) => resolvePolicy(policy, alias)));
      const templated = parsed.some(({ rules }) => rules.some(({ matches }) => matches === 'template'));
      if (compiled.size >= compiledLimit) compiled.clear();
      compiled.set(templated ? ofHolder : kind, made);
      return made;
    },
  };
}

/** Reads policies by name, each once until any has changed. */
function heldEntries(store: Store, following: Following): (name: string) => Promise<Entry | undefined> {
  let known = new Map<string, Entry | undefined>();
  following.follow([prefix], async () => {
    known = new Map();
  });
  return async (name) => {
    const into = known;
    if (into.has(name)) return into.get(name);
    const entry = await store.get(prefix + name);
    // Into what was being filled when the reading began: a change meanwhile has put that away.
    if (into.size < heldLimit) into.set(name, entry);
    return entry;
  };
}

async function seedDefault(store: Store): Promise<void> {
  const key = `${prefix}default`;
  if (await store.get(key)) return;
  try {
    await store.commit({
      expect: [{ key, revision: 0 }],
      puts: [{ key, value: Buffer.from(defaultPolicy) }],
    });
  } catch (error) {
    // Another node on the same store was quicker.
    if (!(error instanceof Fault && error.code === 'store.conflict')) throw error;
  }
}

function assertChangeable(name: string, verb: 'update' | 'delete'): void {
  if (name === 'root' || name === responseWrapping.name) {
    throw invalidRequest(`cannot ${verb} ${JSON.stringify(name)} policy`);
  }
  if (Buffer.byteLength(name) > nameLimitBytes || !name.isWellFormed() || name.includes('\0')) {
    throw invalidRequest(`a policy name has at most ${nameLimitBytes} bytes of plain text`);
  }
}
