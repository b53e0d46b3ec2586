import { dayMs, hourMs, minuteMs, secondMs } from '../base/duration.ts';
import type { Inventory, Place, SeenCertificate } from './inventory.ts';
import { type CredentialNode, credentialTrees } from './tree.ts';

/**
 * The trees of an inventory as text for a terminal, one certificate to a line and below it where it was seen:
 *
 *     root.linkerd.cluster.local  CA  expires 2026-05-07T23:09:51Z (in 89 days)
 *     │ ConfigMap linkerd/linkerd-identity-trust-roots ca-bundle.crt
 *     └── identity.linkerd.cluster.local  CA  expires 2026-02-09T23:09:51Z (in 47 hours)
 *           Secret linkerd/linkerd-identity-issuer tls.crt (Certificate linkerd-identity-issuer)
 */
export function renderTrees(inventory: Inventory, nowMs: number): string {
  const lines = credentialTrees(inventory).flatMap((node) => nodeLines(node, inventory, nowMs, '', ''));
  return lines.map((line) => `${line}\n`).join('');
}

/** A Bundle writes the same ConfigMap to every namespace; from this many on they are only counted. */
const manyNamespaces = 4;

function nodeLines(
  { certificate, children }: CredentialNode,
  inventory: Inventory,
  nowMs: number,
  first: string,
  rest: string,
): string[] {
  const below = children.length > 0 ? '│ ' : '  ';
  return [
    `${first}${titleOf(certificate)}  ${validity(certificate, nowMs)}`,
    ...placesOf(certificate, inventory).map((place) => `${rest}${below}${place}`),
    ...children.flatMap((child, index) => {
      const isLast = index === children.length - 1;
      return nodeLines(
        child,
        inventory,
        nowMs,
        `${rest}${isLast ? '└── ' : '├── '}`,
        `${rest}${isLast ? '    ' : '│   '}`,
      );
    }),
  ];
}

function titleOf({ subject, names, isCa, serial }: SeenCertificate): string {
  const name = subject.replace(/^CN=/, '') || names.join(',') || `serial ${serial}`;
  return isCa ? `${name}  CA` : name;
}

function validity({ notBefore, notAfter }: SeenCertificate, nowMs: number): string {
  if (nowMs < notBefore) return `not valid before ${instant(notBefore)} (${relative(notBefore, nowMs)})`;
  const word = nowMs > notAfter ? 'EXPIRED' : 'expires';
  return `${word} ${instant(notAfter)} (${relative(notAfter, nowMs)})`;
}

function placesOf({ places, signedBy, selfSigned }: SeenCertificate, inventory: Inventory): string[] {
  const spread = Map.groupBy(places, (place) =>
    place.kind === 'ConfigMap' ? `ConfigMap ${place.name} ${place.key}` : placeText(place, inventory),
  );
  const texts = [...spread].flatMap(([text, alike]) =>
    alike.length >= manyNamespaces
      ? [`${text} in ${alike.length} namespaces`]
      : alike.map((place) => placeText(place, inventory)),
  );
  const orphan = signedBy.length === 0 && !selfSigned ? ['signed by a certificate that was not seen'] : [];
  return [...texts, ...orphan];
}

function placeText(place: Place, { certificateResources }: Inventory): string {
  if (place.kind === 'endpoint') return `served at ${place.address}`;
  const { kind, namespace, name, key } = place;
  const owner =
    kind === 'Secret'
      ? certificateResources.find(
          (resource) => resource.namespace === namespace && resource.secretName === name,
        )
      : undefined;
  const by = owner ? ` (Certificate ${owner.name}, from ${owner.issuerRef})` : '';
  return `${kind} ${namespace}/${name} ${key}${by}`;
}

/** `2026-05-07T23:09:51Z` */
export function instant(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}

const units = [
  ['day', dayMs],
  ['hour', hourMs],
  ['minute', minuteMs],
  ['second', secondMs],
] as const;

/** `in 89 days`, `3 hours ago`, `now`: in the largest unit of which there are at least two, rounded down. */
export function relative(ms: number, nowMs: number): string {
  const distanceMs = Math.abs(ms - nowMs);
  const [unit, unitMs] = units.find(([, size]) => distanceMs >= 2 * size) ?? units.at(-1)!;
  const count = Math.floor(distanceMs / unitMs);
  if (count === 0) return 'now';
  const text = `${count} ${unit}${count === 1 ? '' : 's'}`;
  return ms > nowMs ? `in ${text}` : `${text} ago`;
}
