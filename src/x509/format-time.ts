/** An instant in messages: RFC 3339 in whole seconds, UTC. */
export function formatTime(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, -5)}Z`;
}
