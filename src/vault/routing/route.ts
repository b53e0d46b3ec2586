import type { LeaseGrant } from '../lease/lease.ts';
import type { AccessList, Operation } from '../policy/access-list.ts';
import type { Renewer } from '../token/renewal.ts';
import type { PresentedToken } from '../token/token.ts';
import type { WrapInfo, WrapOrder } from '../wrapping/wrapping.ts';
import type { FieldTable, RawFields } from './fields.ts';

/** A request on its way through the server, whatever wire it came by. */
export interface VaultRequest {
  id: string;
  operation: Operation;
  /** Below `/v1/`, decoded, without a leading slash; a list's path ends in one. */
  path: string;
  data: RawFields;
  /** As the client sent it; undefined where it sent none. */
  token: string | undefined;
  /** For how long to keep the answer for whoever brings the wrapping token; absent to answer at once. */
  wrapTtlMs?: number;
  /** Whether it only asks what the path is for. */
  help?: boolean;
  origin: RequestOrigin;
}

/** How a request was put, and from where: what audit devices tell, and few engines look at. */
export interface RequestOrigin {
  method: string;
  /** By name in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Empty where the wire knows none. */
  remoteAddress: string;
  remotePort: number;
  /**
   * DER of the certificates that a TLS client showed, its own first, whose key it has proven to hold. Nobody has
   * checked who signed them.
   */
  peerCertificates: readonly Buffer[];
  /** The body, where its media type says that it is a message of another protocol. */
  message?: Buffer;
  /** Where it may be of any size, in place of parameters: not read yet. */
  body?: AsyncIterable<Buffer>;
}

/** Who asks, and what they may do. */
export interface Caller {
  presented: PresentedToken;
  access: AccessList;
}

/** What a handler answers; undefined for "nothing": 404 to a read or a list, 204 to anything else. */
export interface Answer {
  data?: Readonly<Record<string, unknown>>;
  auth?: Readonly<Record<string, unknown>>;
  warnings?: readonly string[];
  /** Where it is not 200, such as 202 for what has only begun. */
  status?: number;
  /**
   * Asks for a lease: the answer gets its id, and once the lease is over, by the clock, with its token or by hand, the
   * engine's `revokeLease` is told `internal`.
   */
  lease?: LeaseGrant;
  /** The lease that the answer comes with. */
  granted?: GrantedLease;
  /** In place of anything else: an answer from before, to be wrapped once more. */
  rewrap?: Pick<WrapOrder, 'wrapped' | 'ttlMs' | 'path'>;
  /** In place of anything else: where the answer is. */
  wrap?: WrapInfo;
  /** Sent along with the envelope. */
  headers?: Readonly<Record<string, string>>;
  /** Sent as it is, without the envelope. */
  raw?: RawAnswer;
}

/** As the envelope shows it; the duration in seconds. */
export interface GrantedLease {
  lease_id: string;
  renewable: boolean;
  lease_duration: number;
}

export interface RawAnswer {
  /** Where absent 200, or 204 where the body is empty. */
  status?: number;
  headers?: Readonly<Record<string, string | readonly string[]>>;
  contentType: string;
  body: Buffer;
  /** Sent after `body`, as it comes, where all of it may be too much to hold. */
  stream?: AsyncIterable<Buffer>;
}

/** What a pattern caught of a path, by name. */
export type Captures = Readonly<Record<string, string>>;

/** One kind of path of an engine and what may be done there; data, so that tables of routes can be read and listed. */
export interface Route<Context> {
  /** As it is written in the table: `issuer/:issuer_ref`. */
  path: string;
  /** Matches a whole path below the mount. */
  pattern: RegExp;
  /** The parameters that its handlers read. */
  fields: FieldTable;
  /** Their names, and those that come with an operation; others earn the client a warning. */
  parameters: ReadonlySet<string>;
  /** Reached without a token. */
  open: boolean;
  /** Asks for `sudo` besides the capability of the operation. */
  sudo: boolean;
  /** Takes HEAD where it takes a read; elsewhere HEAD is no operation. */
  head: boolean;
  /** Its answers stand at the top level besides `data`, as those of the oldest paths of `sys/` do. */
  dataAtTop: boolean;
  /** Takes any parameters. */
  free?: true;
  /** Whether what an update is for is there already: if not, it takes the capability `create`. */
  exists?: (context: Context, given: Given) => Promise<boolean>;
  handlers: Readonly<Partial<Record<Operation, Handler<Context>>>>;
}

export interface Given {
  captures: Captures;
  data: RawFields;
  /** The whole path, the mount included. */
  path: string;
  /** On an open route, one that may do nothing where no good token came along. */
  caller: Caller;
  origin: RequestOrigin;
  /** Absent where the answer is not to be wrapped. */
  wrapTtlMs?: number;
}

export type Handler<Context> = (context: Context, given: Given) => Promise<Answer | undefined>;

/** What can be told of a route. */
export type DescribedRoute = Pick<Route<never>, 'path' | 'fields' | 'open' | 'sudo'> & {
  handlers: Readonly<Partial<Record<Operation, unknown>>>;
};

/** What is mounted at a path: something that knows its routes. */
export interface Engine {
  routes: readonly DescribedRoute[];
  /** Undefined where the engine has no such path. `path` is below the mount. */
  find(path: string, operation: Operation): Match | undefined;
  /** Of an auth method: renews what its logins gave. */
  renew?: Renewer;
  /** Ends what was leased with `internal`; called again where it fails, and where it has been ended before. */
  revokeLease?: (internal: LeaseGrant['internal']) => Promise<void>;
}

/** A route found, bound to its engine. */
export interface Match {
  route: Pick<Route<never>, 'parameters' | 'head' | 'dataAtTop' | 'free'> & DescribedRoute;
  captures: Captures;
  /** Undefined where the path does not take the operation. */
  run: ((given: Given) => Promise<Answer | undefined>) | undefined;
  /** Undefined where an update takes that capability whatever is there. */
  exists: ((given: Given) => Promise<boolean>) | undefined;
}

/** An engine of `routes`, whose handlers are handed `context`. The first route that matches wins. */
export function engine<Context>(routes: readonly Route<Context>[], context: Context): Engine {
  const candidates = byFirstSegment(routes);
  return {
    routes,
    find(path, operation) {
      for (const route of candidates(path)) {
        const caught = route.pattern.exec(path);
        if (!caught) continue;
        const handler = route.handlers[operation];
        const { exists } = route;
        return {
          route,
          captures: { ...caught.groups },
          run: handler && ((given) => handler(context, given)),
          exists: exists && ((given) => exists(context, given)),
        };
      }
      return undefined;
    },
  };
}

/** The routes that a path can be of, by how it begins: there are too many to try each with every request. */
function byFirstSegment<Context>(
  routes: readonly Route<Context>[],
): (path: string) => readonly Route<Context>[] {
  const first = (path: string) => path.split('/', 1)[0]!;
  const isAny = ({ path }: Route<Context>) => /^[:*]/.test(path) || path === '';
  const known = new Map<string, readonly Route<Context>[]>();
  for (const { path } of routes) {
    const start = first(path);
    known.set(
      start,
      routes.filter((route) => isAny(route) || first(route.path) === start),
    );
  }
  const others = routes.filter(isAny);
  return (path) => known.get(first(path)) ?? others;
}

/** What a segment looks like that is not simply a name. */
const segmentForms: Readonly<Record<string, string>> = { serial: '[0-9A-Fa-f:-]+' };
const nameForm = '\\w(?:[\\w.-]*\\w)?';

/**
 * A pattern as text, compiled: `:name` catches one segment as Vault names things (letters, digits, `_`, and inside
 * also `-` and `.`), `:serial` one of hexadecimal digits, `*name` catches the rest, slashes included. A trailing slash is allowed where a list is.
 */
export function pathPattern(text: string, listed: boolean): RegExp {
  const body = text.split('/').map((segment) => {
    const name = segment.slice(1);
    if (segment.startsWith(':')) return `(?<${name}>${segmentForms[name] ?? nameForm})`;
    if (segment.startsWith('*')) return `(?<${name}>.+?)`;
    return segment;
  });
  return new RegExp(`^${body.join('/')}${listed ? '/?' : ''}$`);
}
