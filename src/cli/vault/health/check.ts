import { parseDuration, secondMs } from '../../../base/duration.ts';
import { Fault } from '../../../base/fault.ts';
import { parseSwitch } from '../flags.ts';
import { isList, NumberText, plainText, type Value, type ValueObject } from '../value.ts';
import type { Fact, MountFacts } from './mount-facts.ts';

/** From the best to the worst; a status's place is its number, and the command's exit status. */
export const statuses = [
  'not_applicable',
  'ok',
  'informational',
  'warning',
  'critical',
  'invalid_version',
  'insufficient_permissions',
] as const;

export type Status = (typeof statuses)[number];

export interface Finding {
  status: Status;
  /** A path with a slash before it. */
  endpoint: string;
  message: string;
}

/** Something about a mount that can be looked into, set up by a configuration. */
export interface HealthCheck {
  name: string;
  /** Every setting that it has, but for `enabled` where it is on by default. */
  defaults: ValueObject;
  /** Takes its settings. @throws Fault `cli.health` for what they cannot be */
  prepare: (config: ValueObject) => (mount: MountFacts) => Promise<Finding[]>;
}

/** What a check reads its settings with; each throws Fault `cli.health`. */
export interface Settings {
  durationMs(name: string): number;
  whole(name: string, least: number, most: number): number;
  texts(name: string): readonly string[];
}

export function defineCheck<S>(
  name: string,
  {
    defaults = {},
    settings,
    look,
  }: {
    defaults?: ValueObject;
    settings: (given: Settings) => S;
    look: (mount: MountFacts, settings: S) => Promise<Finding[]>;
  },
): HealthCheck {
  return {
    name,
    defaults,
    prepare(config) {
      const held = settings(readers(name, config));
      return (mount) => look(mount, held);
    },
  };
}

function readers(check: string, config: ValueObject): Settings {
  const refuse = (setting: string) =>
    new Fault(`error parsing ${check}.${setting}=${plainText(config[setting] ?? null)}`, {
      code: 'cli.health',
      blame: 'caller',
    });
  return {
    durationMs(setting) {
      const value = config[setting];
      if (value instanceof NumberText) return Number(value.text) * secondMs;
      if (typeof value !== 'string') throw refuse(setting);
      try {
        return parseDuration(value);
      } catch {
        throw refuse(setting);
      }
    },
    whole(setting, least, most) {
      const value = config[setting];
      const number = Number(value instanceof NumberText ? value.text : value);
      if (Number.isInteger(number) && number >= least && number <= most) return number;
      throw refuse(setting);
    },
    texts(setting) {
      const value = config[setting];
      if (isList(value) && value.every((one) => typeof one === 'string')) return value;
      throw refuse(setting);
    },
  };
}

/** @throws Fault `cli.health` */
export function isEnabled(check: string, value: Value): boolean {
  if (typeof value === 'boolean') return value;
  try {
    return parseSwitch(plainText(value));
  } catch {
    throw new Fault(`error parsing ${check}.enabled`, { code: 'cli.health', blame: 'caller' });
  }
}

/** What the token may not look at, and what cannot be said without it. */
export function denied({ path }: Pick<Fact, 'path'>, mount: MountFacts): Finding {
  const who = mount.hasToken
    ? 'This token may not read it'
    : 'There is no token, and this is not for anyone to read';
  return {
    status: 'insufficient_permissions',
    endpoint: path,
    message: `${who}; without it this check says less, or nothing.`,
  };
}

export function tooOld(endpoint: string): Finding {
  return {
    status: 'invalid_version',
    endpoint,
    message: 'The server does not have this path: it is too old for this check.',
  };
}
