import type { Clock } from '../../base/clock.ts';
import { type Entropy, uuid } from '../../base/entropy.ts';
import { type AcmeStore, asRead, putting, type Stored } from './acme-store.ts';
import { type AccountKey, readJwk } from './jwk.ts';
import { decodeBase64Url, readJws, readPayload, type UnverifiedJws, verifyMac } from './jws.ts';
import { malformed, unauthorized } from './problem.ts';

/** What lets its holder make one account (RFC 8555 section 7.3.4). The store is to seal it. */
export interface Binding {
  id: string;
  /** The only directory that it is good in. */
  directory: string;
  createdMs: number;
  /** Base64url, as the client is given it; its bytes are the key of the MAC. */
  secret: string;
}

export interface Bindings {
  create(directory: string): Promise<Binding>;
  /** Those that no account has used yet, by id. */
  list(range: { after?: string; limit?: number }): Promise<Binding[]>;
  /** Whether there was one. */
  delete(id: string): Promise<boolean>;
}

/** Vault's: a secret that begins with it begins with no dash, which command lines would take for an option. */
const secretPrefix = 'vault-eab-0-';

export function storedBindings(
  store: AcmeStore,
  { clock, entropy }: { clock: Clock; entropy: Entropy },
): Bindings {
  return {
    async create(directory) {
      const secret = secretPrefix + entropy.bytes(32).toString('base64url');
      const binding: Binding = { id: uuid(entropy), directory, createdMs: clock.now(), secret };
      await store.commit({ puts: [putting(store.at.binding(binding.id), binding)] });
      return binding;
    },
    async list({ after, limit }) {
      const found = await store.list<Binding>(store.at.bindings(), {
        ...(after ? { after: store.at.binding(after) } : {}),
        ...(limit !== undefined && limit > 0 ? { limit } : {}),
      });
      return found.map(({ value }) => value);
    },
    delete: (id) =>
      store.decideAndCommit(async () => {
        const found = await store.read<Binding>(store.at.binding(id));
        if (!found) return { result: false };
        return { batch: { expect: [asRead(found)], deletes: [found.key] }, result: true };
      }),
  };
}

/** The binding that a request for an account shows. @throws Problem `malformed`, `unauthorized` */
export async function provenBinding(
  store: AcmeStore,
  shown: unknown,
  outer: { url: string; key: AccountKey; directory: string },
): Promise<Stored<Binding>> {
  const jws = readJws(shown);
  const id = checkedKid(jws, outer.url);
  const found = await store.read<Binding>(store.at.binding(id));
  const good = found && verifyMac(jws, decodeBase64Url(found.value.secret, 'the secret'));
  // One answer for all that is wrong, so that ids cannot be found out.
  if (!good || found.value.directory !== outer.directory) {
    throw unauthorized(
      'the external account binding is unknown, used, of another directory or not signed with its key',
    );
  }
  const bound = readJwk(readPayload(jws));
  if (bound.thumbprint !== outer.key.thumbprint) {
    throw malformed('the external account binding is for another key than that of the request');
  }
  return found;
}

function checkedKid({ header }: UnverifiedJws, url: string): string {
  if (typeof header.kid !== 'string' || !/^[\w-]{1,100}$/.test(header.kid)) {
    throw malformed('the external account binding has no kid');
  }
  if ('nonce' in header || 'jwk' in header) {
    throw malformed('the external account binding has neither nonce nor jwk in its header');
  }
  if (header.url !== url) throw malformed('the external account binding is not for the URL of the request');
  return header.kid;
}
