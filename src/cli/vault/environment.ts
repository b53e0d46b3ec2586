import type { CommandContext } from '../command.ts';

type Environment = CommandContext['env'];

/** `BAO_name` where it is set, empty included; else `VAULT_name`; undefined where neither is set. */
export function variable(env: Environment, name: string): string | undefined {
  return env[`BAO_${name}`] ?? env[`VAULT_${name}`];
}
