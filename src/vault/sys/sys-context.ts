import type { Metrics } from '../../base/metrics.ts';
import type { Auditor } from '../audit/auditor.ts';
import type { LeaseContext } from '../lease/lease-routes.ts';
import type { ManagedKeys } from '../managed-keys/managed-keys.ts';
import type { InFlight } from '../metered-core.ts';
import type { Policies } from '../policy/policies.ts';
import type { Quotas } from '../quota/quotas.ts';
import type { Ceremonies } from '../seal/ceremonies.ts';
import type { KeyRotation } from '../seal/key-rotation.ts';
import type { Snapshots } from '../snapshot/snapshots.ts';
import type { Tokens } from '../token/tokens.ts';
import type { WrappingContext } from '../wrapping/wrapping-routes.ts';

import type { Diagnostics } from './diagnostics.ts';

/** What can be done to the seal of a server that is open. */
export interface SealControl {
  /** Refuses requests from now on, and forgets the keys once those under way are answered. */
  seal(): void;
  /** The key that new values are encrypted with. */
  rotation: KeyRotation;
  /** What holders of shares do together; one of them at a time. @throws Fault `vault.sealed` */
  ceremony<T>(work: (ceremonies: Ceremonies) => T | Promise<T>): Promise<T>;
  snapshots: Snapshots;
}

/** What the paths below `sys/` work on. */
export interface SysContext extends LeaseContext, WrappingContext {
  auditor: Auditor;
  quotas: Quotas;
  managedKeys: ManagedKeys;
  metrics: Metrics;
  /** Requests under way. */
  inFlight: () => readonly InFlight[];
  /** Absent where the server may not look at its own process and machine. */
  diagnostics?: Diagnostics;
  tokens: Tokens;
  policies: Policies;
  /** Absent where the server cannot be sealed. */
  seal?: SealControl;
}
