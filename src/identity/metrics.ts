import type { Clock } from '../base/clock.ts';
import type { CallObserver } from '../wire/grpc-server.ts';
import type { GrpcCode } from '../wire/grpc-status.ts';

/** What the metrics are read from when somebody asks. */
export interface MetricSources {
  /** When the issuer's certificate ends, epoch ms; undefined while there is none. */
  issuerExpiryMs(): number | undefined;
  trustAnchors(): readonly { subject: string; fingerprint: string; expiryMs: number }[];
}

export interface IdentityMetrics {
  observe(path: string): CallObserver;
  countIssuerUpdate(result: 'accepted' | 'refused'): void;
  /** Prometheus' text format, version 0.0.4. */
  text(): string;
}

/** The upper bounds of Prometheus' default buckets, seconds. */
const bucketBounds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

interface MethodCounts {
  labels: string;
  started: number;
  received: number;
  sent: number;
  handled: Map<GrpcCode, number>;
  buckets: number[];
  seconds: number;
}

/** The metrics of linkerd-identity under their own names, and what its users ask for besides: the anchors' expiry. */
export function identityMetrics(clock: Clock, sources: MetricSources): IdentityMetrics {
  const methods = new Map<string, MethodCounts>();
  const issuerUpdates = { accepted: 0, refused: 0 };
  return {
    observe(path) {
      const counts = methods.get(path) ?? newCounts(path);
      methods.set(path, counts);
      counts.started++;
      const startedMs = clock.now();
      return {
        received: () => void counts.received++,
        handled: (code) => {
          counts.handled.set(code, (counts.handled.get(code) ?? 0) + 1);
          if (code === 'ok') counts.sent++;
          const seconds = Math.max(0, clock.now() - startedMs) / 1_000;
          counts.seconds += seconds;
          for (const [index, bound] of bucketBounds.entries()) if (seconds <= bound) counts.buckets[index]!++;
        },
      };
    },
    countIssuerUpdate(result) {
      issuerUpdates[result]++;
    },
    text: () =>
      [
        ...expiryLines(clock.now(), sources),
        ...family('capstan_identity_issuer_updates_total', 'counter', 'Issuer pairs looked at, by outcome', [
          [`{result="accepted"}`, issuerUpdates.accepted],
          [`{result="refused"}`, issuerUpdates.refused],
        ]),
        ...callLines([...methods.values()]),
      ]
        .map((line) => `${line}\n`)
        .join(''),
  };
}

function newCounts(path: string): MethodCounts {
  const [, service, method] = path.split('/');
  return {
    labels: `grpc_method="${method}",grpc_service="${service}",grpc_type="unary"`,
    started: 0,
    received: 0,
    sent: 0,
    handled: new Map(),
    buckets: bucketBounds.map(() => 0),
    seconds: 0,
  };
}

function expiryLines(nowMs: number, sources: MetricSources): string[] {
  const issuer = sources.issuerExpiryMs();
  const leftSeconds = issuer === undefined ? 0 : (issuer - nowMs) / 1_000;
  return [
    ...family(
      'issuer_cert_ttl_seconds',
      'gauge',
      'The remaining seconds until the issuer certificate expires',
      [['', leftSeconds]],
    ),
    ...family(
      'capstan_identity_trust_anchor_ttl_seconds',
      'gauge',
      'The remaining seconds until each trust anchor expires',
      sources
        .trustAnchors()
        .map(({ subject, fingerprint, expiryMs }) => [
          `{fingerprint="${fingerprint}",subject="${escapeLabel(subject)}"}`,
          (expiryMs - nowMs) / 1_000,
        ]),
    ),
  ];
}

function callLines(methods: readonly MethodCounts[]): string[] {
  const counter = (name: string, help: string, value: (counts: MethodCounts) => number) =>
    family(
      name,
      'counter',
      help,
      methods.map((counts) => [`{${counts.labels}}`, value(counts)]),
    );
  return [
    ...counter('grpc_server_started_total', 'RPCs started on the server.', ({ started }) => started),
    ...family(
      'grpc_server_handled_total',
      'counter',
      'RPCs completed on the server, regardless of success or failure.',
      methods.flatMap(({ labels, handled }) =>
        [...handled].map(([code, count]): Sample => [`{grpc_code="${goCode(code)}",${labels}}`, count]),
      ),
    ),
    ...counter(
      'grpc_server_msg_received_total',
      'Messages received from clients.',
      (counts) => counts.received,
    ),
    ...counter('grpc_server_msg_sent_total', 'Messages sent to clients.', ({ sent }) => sent),
    ...family(
      'grpc_server_handling_seconds',
      'histogram',
      'How long RPCs took until the server had handled them.',
      [],
    ),
    ...methods.flatMap(histogramLines),
  ];
}

function histogramLines({ labels, buckets, handled, seconds }: MethodCounts): string[] {
  const name = 'grpc_server_handling_seconds';
  const count = [...handled.values()].reduce((sum, each) => sum + each, 0);
  return [
    ...bucketBounds.map((bound, index) => `${name}_bucket{${labels},le="${bound}"} ${buckets[index]}`),
    `${name}_bucket{${labels},le="+Inf"} ${count}`,
    `${name}_sum{${labels}} ${seconds}`,
    `${name}_count{${labels}} ${count}`,
  ];
}

type Sample = readonly [labels: string, value: number];

function family(name: string, type: string, help: string, samples: readonly Sample[]): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(([labels, value]) => `${name}${labels} ${value}`),
  ];
}

function escapeLabel(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

/** `FailedPrecondition`, `OK`: the names that gRPC's Go library gives its codes. */
function goCode(code: GrpcCode): string {
  if (code === 'ok') return 'OK';
  if (code === 'cancelled') return 'Canceled';
  return code.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
