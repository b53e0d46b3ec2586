import type { Account } from '../../authority/acme/accounts.ts';
import type { Acme } from '../../authority/acme/acme.ts';
import type { Directory, DirectoryName } from '../../authority/acme/directory.ts';
import { type AccountKey, accountKeyOf } from '../../authority/acme/jwk.ts';
import { readJws, readPayload, readRequestHeader, verifyJws } from '../../authority/acme/jws.ts';
import { malformed, Problem, unauthorized } from '../../authority/acme/problem.ts';
import { Fault } from '../../base/fault.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable } from '../routing/fields.ts';
import type { Answer, Given, Route } from '../routing/route.ts';

/** A request to a directory that is open, before anybody has signed anything. */
export interface Exchange {
  acme: Acme;
  directory: Directory;
  /** Of the directory: what follows in every URL begins with a slash. */
  base: string;
  /** As the client must have asked it. */
  url: string;
  captures: Given['captures'];
  method: string;
}

export interface SignedExchange extends Exchange {
  /** Undefined for POST-as-GET. */
  payload: Readonly<Record<string, unknown>> | undefined;
}

export interface AccountExchange extends SignedExchange {
  account: Account;
}

export interface KeyExchange extends SignedExchange {
  key: AccountKey;
}

/** What a part of ACME answers, before the headers that all answers have. */
export interface AcmeAnswer {
  status?: number;
  headers?: Readonly<Record<string, string>>;
  /** Besides the one to the directory, each `<URL>;rel="NAME"`. */
  links?: readonly string[];
  /** JSON. */
  body?: unknown;
  raw?: { contentType: string; body: Buffer };
}

/** Where directories lie: each part of an authority has its own. */
const places = ['', 'issuer/:issuer_ref/', 'roles/:role/', 'issuer/:issuer_ref/roles/:role/'] as const;

/** The same below every directory. */
export function inEveryDirectory<T>(make: (directory: string) => T[]): T[] {
  return places.flatMap((place) => make(`${place}acme`));
}

export function directoryName(pattern: string, captures: Given['captures']): DirectoryName {
  const { issuer_ref: issuer, role } = captures;
  return { path: filledIn(pattern, captures), ...(issuer ? { issuer } : {}), ...(role ? { role } : {}) };
}

function filledIn(pattern: string, captures: Given['captures']): string {
  return pattern.replaceAll(/[:*](\w+)/g, (_, name: string) => captures[name]!);
}

/** A path that anybody may read. */
export function openRoute(
  directory: string,
  path: string,
  act: (exchange: Exchange) => Promise<AcmeAnswer>,
  options: { head?: true; nonce?: true } = {},
): Route<Acme> {
  return route(
    directory,
    path,
    {
      read: (acme, given) => answered(acme, given, { directory, path }, act, options.nonce ?? false),
    },
    { head: options.head ?? false },
  );
}

const jwsFields = { protected: 'text', payload: 'text', signature: 'text' } as const satisfies FieldTable;

/** A path that an account's holder posts to. */
export function accountRoute(
  directory: string,
  path: string,
  act: (exchange: AccountExchange) => Promise<AcmeAnswer>,
): Route<Acme> {
  return signedRoute(directory, path, async (exchange) => {
    if ('account' in exchange) return act(exchange);
    throw malformed('the request must be signed by an account: its kid is missing');
  });
}

/** A path that the holder of a key posts to, who has no account yet. */
export function keyRoute(
  directory: string,
  path: string,
  act: (exchange: KeyExchange) => Promise<AcmeAnswer>,
): Route<Acme> {
  return signedRoute(directory, path, async (exchange) => {
    if ('key' in exchange) return act(exchange);
    throw malformed('the request must bring its key: its jwk is missing');
  });
}

export function signedRoute(
  directory: string,
  path: string,
  act: (exchange: AccountExchange | KeyExchange) => Promise<AcmeAnswer>,
): Route<Acme> {
  return route(directory, path, {
    update: (acme, given) =>
      answered(acme, given, { directory, path }, async (open) => act(await verified(open, given)), true),
  });
}

function route(
  directory: string,
  path: string,
  handlers: Route<Acme>['handlers'],
  { head = false }: { head?: boolean } = {},
): Route<Acme> {
  const fields = handlers.update ? jwsFields : noFields;
  const described = defineRoute<Acme, FieldTable>(`${directory}/${path}`, {
    fields,
    open: true,
    head,
    on: {},
  });
  // What is read of a JWS is for its own rules to say: nothing is made to fit beforehand.
  return { ...described, handlers };
}

/** Who signed a request, and what they ask. @throws Problem */
async function verified(exchange: Exchange, { data, origin }: Given): Promise<AccountExchange | KeyExchange> {
  const type = String(origin.headers['content-type'] ?? '')
    .split(';')[0]!
    .trim()
    .toLowerCase();
  if (type !== 'application/jose+json') {
    throw new Problem('malformed', 'the Content-Type must be application/jose+json', { status: 415 });
  }
  const jws = readJws({ ...data });
  const header = readRequestHeader(jws);
  if (header.url !== exchange.url) {
    throw unauthorized(
      `the request is signed for the URL ${JSON.stringify(header.url)}, not for ${exchange.url}`,
    );
  }
  const signer = header.key ? { key: header.key } : { account: await accountOf(header.kid!, exchange) };
  verifyJws(jws, signer.key ?? accountKeyOf(signer.account.jwk));
  await exchange.acme.nonces.take(header.nonce);
  return { ...exchange, ...signer, payload: readPayload(jws) };
}

function accountOf(kid: string, { acme, base, directory }: Exchange): Promise<Account> {
  const start = `${base}/account/`;
  const id = kid.startsWith(start) ? kid.slice(start.length) : '';
  if (!/^[\w-]{1,100}$/.test(id)) {
    throw new Problem('accountDoesNotExist', 'the kid is not the URL of an account of this directory');
  }
  return acme.accounts.acting(id, directory.path, directory.settings.eab_policy);
}

/** Has a request answered, and puts what must stand in every answer into its answer, problems included. */
async function answered(
  acme: Acme,
  { captures, origin }: Given,
  at: { directory: string; path: string },
  act: (exchange: Exchange) => Promise<AcmeAnswer>,
  withNonce: boolean,
): Promise<Answer> {
  const name = directoryName(at.directory, captures);
  let base: string | undefined;
  let answer: AcmeAnswer;
  try {
    const directory = await acme.directory(name);
    if (!directory) return notServed;
    base = `${acme.baseUrl()}/${name.path}`;
    const url = `${base}/${filledIn(at.path, captures)}`;
    answer = await act({ acme, directory, base, url, captures, method: origin.method });
  } catch (error) {
    answer = problemAnswer(error);
  }
  const { status = 200, headers = {}, links = [], raw, body } = answer;
  const link = [...(base ? [`<${base}/directory>;rel="index"`] : []), ...links];
  return {
    raw: {
      status,
      headers: {
        ...headers,
        ...(withNonce ? { 'Replay-Nonce': await acme.nonces.make() } : {}),
        ...(link.length > 0 ? { Link: link } : {}),
      },
      ...(raw ?? {
        contentType: 'application/json',
        body: body === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(body)),
      }),
    },
  };
}

/** While ACME is off there is nothing there, in Vault's words. */
const notServed: Answer = {
  raw: { status: 404, contentType: 'application/json', body: Buffer.from('{"errors":[]}\n') },
};

/** @throws what is no fault: a bug, which the server logs and answers */
function problemAnswer(error: unknown): AcmeAnswer {
  const problem = error instanceof Problem ? error : faultProblem(error);
  return {
    status: problem.status,
    headers: problem.headers,
    raw: {
      contentType: 'application/problem+json',
      body: Buffer.from(JSON.stringify(problem.document())),
    },
  };
}

function faultProblem(error: unknown): Problem {
  if (!(error instanceof Fault)) throw error;
  if (error.code.startsWith('store.')) {
    const details = { status: 503, headers: { 'Retry-After': '5' }, cause: error };
    return new Problem('serverInternal', 'the storage backend is unavailable or busy; try again', details);
  }
  if (error.blame === 'caller') return new Problem('serverInternal', error.message, { cause: error });
  throw error;
}
