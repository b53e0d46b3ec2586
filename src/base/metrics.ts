/** Values of labels, by name. */
export type Labels = Readonly<Record<string, string>>;

export interface Counter {
  add(labels?: Labels, by?: number): void;
}

export interface Histogram {
  observe(value: number, labels?: Labels): void;
}

/**
 * What a process counts and measures, read as text in the form that Prometheus scrapes (its "text-based exposition
 * format", version 0.0.4). A name belongs to one kind for good; asking for it again answers the same one.
 */
export interface Metrics {
  counter(name: string, help: string): Counter;
  /** `bounds`: the upper bounds of its buckets, rising; one without end comes by itself. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram;
  /** Read when it is scraped; the last reader of a name stands. */
  gauge(name: string, help: string, read: () => number): void;
  /** Milliseconds that pass evenly, from any origin: what durations are measured with. */
  ticks(): number;
  text(): string;
}

/** Milliseconds, from a fast read to a slow disk. */
export const durationBounds = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000];

interface Family {
  kind: string;
  help: string;
  lines(name: string): string[];
}

/** @param ticks see `Metrics.ticks` */
export function newMetrics(ticks: () => number): Metrics {
  const families = new Map<string, Family>();

  function familyOf<T extends Family>(name: string, kind: string, make: () => T): T {
    const found = families.get(name);
    if (found && found.kind === kind) return found as T;
    if (found) throw new TypeError(`${name} is a ${found.kind}`);
    const made = make();
    families.set(name, made);
    return made;
  }

  return {
    ticks,
    counter: (name, help) => familyOf(name, 'counter', () => new CounterFamily(help)),
    histogram: (name, help, bounds) => familyOf(name, 'histogram', () => new HistogramFamily(help, bounds)),
    gauge(name, help, read) {
      const lines = (): string[] => [`${name} ${read()}`];
      familyOf(name, 'gauge', () => ({ kind: 'gauge', help, lines })).lines = lines;
    },
    text() {
      return [...families]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([name, family]) =>
          [
            `# HELP ${name} ${escaped(family.help)}`,
            `# TYPE ${name} ${family.kind}`,
            ...family.lines(name),
            '',
          ].join('\n'),
        )
        .join('');
    },
  };
}

class CounterFamily implements Family, Counter {
  readonly kind = 'counter';
  readonly help: string;
  readonly #values = new Map<string, number>();

  constructor(help: string) {
    this.help = help;
  }

  add(labels: Labels = {}, by = 1): void {
    const key = written(labels);
    this.#values.set(key, (this.#values.get(key) ?? 0) + by);
  }

  lines(name: string): string[] {
    return [...this.#values].map(([labels, value]) => `${name}${braced(labels)} ${value}`);
  }
}

interface Buckets {
  counts: number[];
  sum: number;
  count: number;
}

class HistogramFamily implements Family, Histogram {
  readonly kind = 'histogram';
  readonly help: string;
  readonly #bounds: readonly number[];
  readonly #values = new Map<string, Buckets>();

  constructor(help: string, bounds: readonly number[]) {
    this.help = help;
    this.#bounds = bounds;
  }

  observe(value: number, labels: Labels = {}): void {
    const key = written(labels);
    let buckets = this.#values.get(key);
    if (!buckets) {
      buckets = { counts: this.#bounds.map(() => 0), sum: 0, count: 0 };
      this.#values.set(key, buckets);
    }
    const at = this.#bounds.findIndex((bound) => value <= bound);
    if (at >= 0) buckets.counts[at]! += 1;
    buckets.sum += value;
    buckets.count += 1;
  }

  lines(name: string): string[] {
    return [...this.#values].flatMap(([labels, { counts, sum, count }]) => {
      let below = 0;
      const rows = counts.map((inBucket, at) => {
        below += inBucket;
        return bucketLine(name, labels, String(this.#bounds[at]), below);
      });
      const whole = bucketLine(name, labels, '+Inf', count);
      return [
        ...rows,
        whole,
        `${name}_sum${braced(labels)} ${sum}`,
        `${name}_count${braced(labels)} ${count}`,
      ];
    });
  }
}

function bucketLine(name: string, labels: string, bound: string, count: number): string {
  return `${name}_bucket${braced([labels, `le="${bound}"`].filter(Boolean).join(','))} ${count}`;
}

function braced(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

function written(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`)
    .join(',');
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}
