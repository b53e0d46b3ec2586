import { chains } from './chains.ts';
import { inspect } from './inspect.ts';
import { limbo } from './limbo.ts';
import { pkits } from './pkits.ts';
import type { ConformanceSet } from './vectors.ts';

export const sets: readonly ConformanceSet[] = [limbo, pkits, chains, inspect];
