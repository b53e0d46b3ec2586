import { chains } from './chains.ts';
import { pkits } from './pkits.ts';
import type { ConformanceSet } from './vectors.ts';

export const sets: readonly ConformanceSet[] = [pkits, chains];
