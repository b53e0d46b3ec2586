/**
 * Waits for no time at all: whatever else goes on side by side does its step before this work's next one. To be put
 * between steps that are dear to begin and cheap to repeat.
 */
export const step: Promise<void> = Promise.resolve();

/**
 * Lets work that is begun at about the same time go on side by side: all that waits for the answered function goes on in
 * the event loop's next turn, one after the other, each as far as its next wait. So every step of several requests is
 * done back to back, while its code and tables are in the processor's caches. Signing certificates for 32 connections
 * took a third less of the processor by it.
 */
export function sideBySide(): () => Promise<void> {
  let turn: Promise<void> | undefined;
  return () => {
    turn ??= new Promise((resolve) => {
      setImmediate(() => {
        turn = undefined;
        resolve();
      });
    });
    return turn;
  };
}
