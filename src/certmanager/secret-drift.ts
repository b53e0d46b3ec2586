import type { Secret } from '../kube/resource.ts';
import { type SecretContent, secretManager } from './secret-content.ts';

/** One entry of metadata.managedFields, as far as it matters here. */
interface ManagedFields {
  manager?: string;
  operation?: string;
  fieldsV1?: Readonly<Record<string, unknown>>;
}

/** The parts of a Secret that are applied, and where fieldsV1 keeps them. */
const parts = [
  { name: 'label', path: ['f:metadata', 'f:labels'], of: (secret: Secret) => secret.metadata.labels },
  {
    name: 'annotation',
    path: ['f:metadata', 'f:annotations'],
    of: (secret: Secret) => secret.metadata.annotations,
  },
  { name: 'data key', path: ['f:data'], of: (secret: Secret) => secret.data },
] as const;

/**
 * How a Secret has drifted from what was applied to it; undefined where it has not. What others added is theirs and
 * stays; what we own and no longer want (a template's label, a format) counts as drift, since applying again drops it.
 */
export function secretDrift(wanted: SecretContent, live: Secret): string | undefined {
  const entries = (live.metadata.managedFields ?? []) as readonly ManagedFields[];
  const ours = entries.filter(({ manager, operation }) => manager === secretManager && operation === 'Apply');
  for (const { name, path, of } of parts) {
    const [want = {}, have = {}] = [of(wanted), of(live)];
    const wrong = Object.keys(want).find((key) => have[key] !== want[key]);
    if (wrong !== undefined) return `${name} ${wrong} ${wrong in have ? 'differs' : 'is missing'}`;
    // Where nobody's ownership is recorded (somebody cleared it), applying would not tell us more.
    if (entries.length === 0) continue;
    const owned = new Set(ours.flatMap((entry) => ownedKeys(entry, path)));
    const disowned = Object.keys(want).find((key) => !owned.has(key));
    if (disowned !== undefined) return `${name} ${disowned} belongs to somebody else`;
    const left = [...owned].find((key) => !(key in want));
    if (left !== undefined) return `${name} ${left} is left over`;
  }
  return undefined;
}

function ownedKeys({ fieldsV1 }: ManagedFields, path: readonly string[]): string[] {
  let fields: unknown = fieldsV1;
  for (const step of path) fields = (fields as Readonly<Record<string, unknown>> | undefined)?.[step];
  return Object.keys(fields ?? {}).flatMap((key) => (key.startsWith('f:') ? [key.slice(2)] : []));
}
