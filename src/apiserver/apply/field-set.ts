/**
 * A set of paths into an object, as managedFields keep it (FieldsV1). A step of a path is written as it is there:
 * `f:name` a field, `k:{"name":"x"}` the item of a map-like list with that key, `v:"x"` the item of a set, `i:0` an
 * index.
 */
export class FieldSet {
  /** The steps that end here: their values are in the set themselves. */
  readonly members = new Set<string>();
  /** The steps that go on. */
  readonly children = new Map<string, FieldSet>();

  /** @throws RangeError where a key is no step */
  static fromJson(fields: unknown): FieldSet {
    const set = new FieldSet();
    for (const [step, below] of Object.entries((fields ?? {}) as Record<string, unknown>)) {
      if (step === '.') continue;
      if (!/^[fkvi]:/.test(step)) throw new RangeError(`${step} is no step of a path`);
      const steps = Object.keys(below ?? {});
      if (steps.length === 0 || steps.includes('.')) set.members.add(step);
      const child = FieldSet.fromJson(below);
      if (!child.isEmpty()) set.children.set(step, child);
    }
    return set;
  }

  /** FieldsV1, its steps in order. */
  toJson(): Record<string, unknown> {
    return this.#write(false);
  }

  #write(isMember: boolean): Record<string, unknown> {
    const steps = [...new Set([...this.members, ...this.children.keys()])].toSorted(byStep);
    const entries = steps.map(
      (step) => [step, this.below(step).#write(this.members.has(step) && this.children.has(step))] as const,
    );
    return Object.fromEntries([...(isMember ? [['.', {}] as const] : []), ...entries]);
  }

  insert(path: readonly string[]): void {
    const [step, ...rest] = path;
    if (step === undefined) return;
    if (rest.length === 0) {
      this.members.add(step);
      return;
    }
    const child = this.children.get(step) ?? new FieldSet();
    this.children.set(step, child);
    child.insert(rest);
  }

  isEmpty(): boolean {
    return this.members.size === 0 && this.children.size === 0;
  }

  /** What is below a step; empty where nothing is. */
  below(step: string): FieldSet {
    return this.children.get(step) ?? new FieldSet();
  }

  equals(other: FieldSet): boolean {
    return this.difference(other).isEmpty() && other.difference(this).isEmpty();
  }

  union(other: FieldSet): FieldSet {
    const set = new FieldSet();
    for (const step of [...this.members, ...other.members]) set.members.add(step);
    for (const step of new Set([...this.children.keys(), ...other.children.keys()])) {
      set.#keep(step, this.below(step).union(other.below(step)));
    }
    return set;
  }

  intersection(other: FieldSet): FieldSet {
    const set = new FieldSet();
    for (const step of this.members) if (other.members.has(step)) set.members.add(step);
    for (const [step, child] of this.children) set.#keep(step, child.intersection(other.below(step)));
    return set;
  }

  difference(other: FieldSet): FieldSet {
    const set = new FieldSet();
    for (const step of this.members) if (!other.members.has(step)) set.members.add(step);
    for (const [step, child] of this.children) set.#keep(step, child.difference(other.below(step)));
    return set;
  }

  #keep(step: string, child: FieldSet): void {
    if (!child.isEmpty()) this.children.set(step, child);
  }

  /** Every path in the set. */
  *paths(): Generator<string[]> {
    for (const step of [...new Set([...this.members, ...this.children.keys()])].toSorted(byStep)) {
      if (this.members.has(step)) yield [step];
      for (const rest of this.below(step).paths()) yield [step, ...rest];
    }
  }
}

const stepOrder = 'fkvi';

function byStep(one: string, other: string): number {
  const kinds = stepOrder.indexOf(one[0]!) - stepOrder.indexOf(other[0]!);
  return kinds !== 0 ? kinds : one < other ? -1 : one > other ? 1 : 0;
}

/** A path as messages print it: `.spec.containers[name="web"].image`, `.metadata.finalizers[="a"]`. */
export function describePath(path: readonly string[]): string {
  return path
    .map((step) => {
      const content = step.slice(2);
      if (step.startsWith('f:')) return `.${content}`;
      if (step.startsWith('v:')) return `[=${content}]`;
      if (step.startsWith('i:')) return `[${content}]`;
      const keys = Object.entries(JSON.parse(content) as Record<string, unknown>);
      return `[${keys.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}]`;
    })
    .join('');
}
