import type { Alias } from '../token/token.ts';

const template = /\{\{\s*(.*?)\s*\}\}/g;
const aliasMetadata = /^identity\.entity\.aliases\.([^.]+)\.metadata\.(.+)$/;

/**
 * A policy's path with its identity templates filled from the alias of whoever asks; undefined where one has no value,
 * or one that would change what the path means: there the rule grants nothing. Of Vault's templates
 * `identity.entity.aliases.ACCESSOR.metadata.KEY` has a value here: what the auth method with that accessor told of
 * its login. The others take entities and groups, which there are none of.
 */
export function fillTemplates(path: string, alias: Alias | undefined): string | undefined {
  let filled = true;
  const text = path.replaceAll(template, (_, name: string) => {
    const value = valueOf(name, alias);
    if (value === undefined || !isOneName(value)) filled = false;
    return value ?? '';
  });
  return filled ? text : undefined;
}

function valueOf(name: string, alias: Alias | undefined): string | undefined {
  const [, accessor, key] = aliasMetadata.exec(name) ?? [];
  if (!alias || key === undefined || alias.accessor !== accessor) return undefined;
  return Object.hasOwn(alias.metadata, key) ? alias.metadata[key] : undefined;
}

/** A value stands for part of one segment: it brings neither a wildcard nor another segment (GHSA-59w7-v8rr-pr4p). */
function isOneName(value: string): boolean {
  return (
    /^[^*+/{}\p{Cc}\p{Zl}\p{Zp}]+$/u.test(value) && value !== '.' && value !== '..' && value.isWellFormed()
  );
}
