import type { Mount } from '../mount/mount.ts';
import type { Mounts } from '../mount/mounts.ts';
import type { Policies } from '../policy/policies.ts';
import type { Tokens } from '../token/tokens.ts';

/** What the paths below `sys/` work on. */
export interface SysContext {
  tokens: Tokens;
  policies: Policies;
  mounts: () => Mounts;
  /** What is always mounted, by kind. */
  fixed: { secret: readonly Mount[]; auth: readonly Mount[] };
  /** Seals the server; absent where it cannot be sealed. */
  seal?: () => void;
}
