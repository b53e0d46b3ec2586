/** A service token is kept in the store; a batch token holds all there is to know of it, and costs no write. */
export type TokenType = 'service' | 'batch';

/** A token as the store keeps it, or a batch token holds it. The token's own text is nowhere: only its salted name is. */
export interface Token {
  /** HMAC of the token under the store's salt, hexadecimal: what everything else refers to it by. */
  name: string;
  type: TokenType;
  /** Stands for the token where the token must not be shown; empty for a batch token, which has none. */
  accessor: string;
  policies: readonly string[];
  /** Where it was made: `auth/token/create`. */
  path: string;
  meta: Readonly<Record<string, string>> | null;
  displayName: string;
  /** Requests it is still good for; 0 for any number, -1 once the last one is under way. */
  numUses: number;
  createdMs: number;
  /** The time to live it was made with; 0 for ever. */
  ttlMs: number;
  explicitMaxTtlMs: number;
  periodMs: number;
  renewable: boolean;
  /** The name of the token that made it; undefined for an orphan. */
  parent?: string;
  /** Undefined for a token that does not expire. */
  expiresMs?: number;
  renewedMs?: number;
  /** The time to live that its last renewal gave it: what the next one gives where it asks for nothing else. */
  renewedTtlMs?: number;
  /** Where it may be used from, as `readCidrs` writes it; anywhere where absent. */
  boundCidrs?: readonly string[];
  /** The token role that it was made by. */
  role?: string;
  /** Where it came from a login: what its renewal is decided from. */
  login?: Login;
  /** What an auth method told of whoever logged in; their tokens’ children have it from them. */
  alias?: Alias;
}

/** Who logged in, as far as identity templates of policies ask. */
export interface Alias {
  /** Of the auth mount. */
  accessor: string;
  metadata: Readonly<Record<string, string>>;
}

/** The auth method that a token came from. */
export interface Login {
  /** Path of the auth mount: `auth/approle/`. */
  mount: string;
  /** What its method wants to know again at a renewal, such as the role's name; never shown. */
  internal: Readonly<Record<string, unknown>>;
}

/** A token to be made: all but what is drawn for it. A service token where nothing is said. */
export type NewToken = Omit<Token, 'name' | 'accessor' | 'type'> & { type?: TokenType };

/** A token with the text it was presented by. */
export interface PresentedToken {
  id: string;
  token: Token;
  /** The store's revision of its record. */
  revision: number;
}

/** Whether `token` is good for a request at `nowMs`. */
export function isAlive(token: Token, nowMs: number): boolean {
  return token.numUses >= 0 && !isOver(token, nowMs);
}

/** Whether its time is over; one that is used up may still be the parent of others until it is revoked. */
export function isOver({ expiresMs }: Pick<Token, 'expiresMs'>, nowMs: number): boolean {
  return expiresMs !== undefined && nowMs >= expiresMs;
}

/** Whole seconds left at `nowMs`; 0 for a token that does not expire. */
export function remainingSeconds(token: Token, nowMs: number): number {
  return token.expiresMs === undefined ? 0 : Math.max(0, Math.floor((token.expiresMs - nowMs) / 1_000));
}
