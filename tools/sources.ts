import { globSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

export interface Source {
  /** Path from the repository's root, with forward slashes. */
  path: string;
  text: string;
}

/** Every TypeScript file below `folder`. */
export function sources(folder: string): Source[] {
  return globSync(`${folder}/**/*.{ts,tsx}`, { cwd: root, exclude: ['**/node_modules/**'] })
    .map((path) => path.replaceAll('\\', '/'))
    .toSorted()
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
}

export interface Import {
  specifier: string;
  /** For a relative import: the file it names, from the repository's root. */
  target: string | undefined;
  typeOnly: boolean;
}

/** What a file imports, statically, dynamically or by re-export. */
export function imports({ path, text }: Source): Import[] {
  const pattern =
    /(?:^|\n)\s*(import|export)\s+(type\s+)?[^'"();]*?from\s+['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)import\s+['"]([^'"]+)['"]/g;
  return [...text.matchAll(pattern)].map((match) => {
    const specifier = (match[3] ?? match[4] ?? match[5])!;
    const target = specifier.startsWith('.')
      ? relative(root, join(root, dirname(path), specifier)).replaceAll('\\', '/')
      : undefined;
    return { specifier, target, typeOnly: match[2] !== undefined };
  });
}
