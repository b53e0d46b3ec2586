import { imports, type Source } from './sources.ts';

/**
 * Which rooms a room may import: the arrows of docs/ARCHITECTURE.md as data. They run one way, so that each room
 * can be read, tested and replaced without those further out, and siblings meet only through public protocols.
 */
export const arrows: Readonly<Record<string, readonly string[]>> = {
  base: [],
  x509: ['base'],
  store: ['base'],
  wire: ['base'],
  authority: ['base', 'x509', 'store'],
  kube: ['base', 'wire'],
  apiserver: ['base', 'x509', 'store', 'wire'],
  proxy: ['base', 'x509', 'wire'],
  vault: ['base', 'x509', 'store', 'wire', 'authority'],
  certmanager: ['base', 'x509', 'wire', 'kube'],
  trustmanager: ['base', 'x509', 'wire', 'kube'],
  identity: ['base', 'x509', 'wire', 'kube'],
  inventory: ['base', 'x509', 'wire', 'kube'],
  check: ['base', 'x509', 'inventory'],
  app: ['*'],
  cli: ['*'],
};

/** The arrows that `sources` (files under src/) break, one sentence each. */
export function brokenArrows(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const room = roomOf(source.path);
    const allowed = arrows[room];
    if (!allowed)
      return [
        `${source.path}: room ${room} has no arrows; add it to tools/arrows.ts and docs/ARCHITECTURE.md`,
      ];
    return imports(source)
      .filter(({ target }) => target?.startsWith('src/'))
      .map(({ target }) => ({ target: target!, other: roomOf(target!) }))
      .filter(
        ({ other }) =>
          other !== room && !allowed.includes(other) && !(allowed.includes('*') && other !== 'cli'),
      )
      .map(({ target, other }) => `${source.path} imports ${target}: ${room} may not import ${other}`);
  });
}

function roomOf(path: string): string {
  return path.split('/')[1]!;
}
