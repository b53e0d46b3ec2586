/** What a token may hold: tokens that it made, leases, values in its cubbyhole. */
export type HoldingKind = 'child' | 'lease' | 'cubbyhole';

const prefix = 'token/holds/';

/** Whatever a token holds stands in one range of the store, so that one look finds all that ends with it. */
export function holdingsOf(token: string): string {
  return `${prefix}${token}/`;
}

export function holdingKey(token: string, kind: HoldingKind, id: string): string {
  return `${holdingsOf(token)}${kind}/${id}`;
}

export function readHolding(key: string): { kind: HoldingKind; id: string } {
  const [, kind, id] = /^[^/]*\/([^/]*)\/(.*)$/s.exec(key.slice(prefix.length))!;
  return { kind: kind as HoldingKind, id: id! };
}
