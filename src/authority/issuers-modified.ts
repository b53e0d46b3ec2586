import { secondMs } from '../base/duration.ts';
import type { Settings } from './holdings.ts';

/**
 * The settings as they are to be once what is told of issuers has changed, or which of them is the default: with a
 * time, in whole seconds, that no change before has had.
 */
export function withIssuersModified(settings: Settings, nowMs: number): Settings {
  const { issuersModifiedAt = 0 } = settings;
  const now = Math.floor(nowMs / secondMs) * secondMs;
  return { ...settings, issuersModifiedAt: Math.max(now, issuersModifiedAt + secondMs) };
}
