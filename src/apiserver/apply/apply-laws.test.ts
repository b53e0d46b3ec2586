import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { apply, bare, fieldsBy, late, spec, specOf, widget } from '../../../test/support/applied-widget.ts';
import type { Json } from '../schema/structural.ts';
import { FieldSet } from './field-set.ts';
import { fieldsOf, withParents } from './ownership.ts';

const text = fc.constantFrom('1', '2', '3');
const configs = fc
  .record(
    {
      a: text,
      b: fc.integer({ min: 0, max: 3 }),
      free: fc.dictionary(fc.constantFrom('x', 'y'), text, { noNullPrototype: true }),
      whole: fc.dictionary(fc.constantFrom('x', 'y'), text, { noNullPrototype: true }),
      list: fc.array(text, { maxLength: 2 }),
      set: fc.uniqueArray(text),
      items: fc.uniqueArray(
        fc.record(
          { name: text, value: text, other: text },
          { requiredKeys: ['name'], noNullPrototype: true },
        ),
        { selector: ({ name }) => name },
      ),
      any: fc.dictionary(
        fc.constantFrom('x', 'y'),
        fc.oneof(text, fc.dictionary(fc.constantFrom('x', 'y'), text, { noNullPrototype: true })),
        { noNullPrototype: true },
      ),
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  .map((value) => spec(value as Json));

test('applying the same twice changes nothing, not even a time', () => {
  fc.assert(
    fc.property(configs, configs, (first, second) => {
      const live = apply(undefined, first);
      const once = apply(live, second, { force: true, manager: 'two' });
      const before = structuredClone(once);
      expect(apply(once, second, { manager: 'two', nowRfc3339: late })).toEqual(once);
      expect(once).toEqual(before);
    }),
  );
});

test('what is applied is there, and a first apply is just that', () => {
  fc.assert(
    fc.property(configs, configs, (first, second) => {
      expect(bare(apply(undefined, first))).toEqual(first);
      const merged = apply(apply(undefined, first), second, { manager: 'two', force: true });
      const missing = fieldsOf(widget, second).difference(
        withParents(widget, fieldsOf(widget, bare(merged))),
      );
      expect([...missing.paths()]).toEqual([]);
    }),
  );
});

test("managers of different fields never conflict, and letting go of all leaves the other's alone", () => {
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom('a', 'b', 'c'), text, { noNullPrototype: true }),
      fc.dictionary(fc.constantFrom('x', 'y', 'z'), text, { noNullPrototype: true }),
      (mine, yours) => {
        const one = apply(undefined, spec({ free: mine }));
        const both = apply(one, spec({ free: yours }), { manager: 'two' });
        expect(specOf(both)).toEqual({ free: { ...mine, ...yours } });
        const left = apply(both, spec({}), { nowRfc3339: late });
        expect((specOf(left) as { free?: Json } | undefined)?.free ?? {}).toEqual(yours);
      },
    ),
  );
});

test("a sole owner's object is always what it applied last", () => {
  fc.assert(
    fc.property(fc.array(configs, { minLength: 1, maxLength: 4 }), (history) => {
      const live = history.reduce<Json | undefined>((before, config) => apply(before, config), undefined)!;
      const last = history.at(-1)!;
      const owned = FieldSet.fromJson(fieldsBy(live, 'one') ?? {});
      const wanted = fieldsOf(widget, last);
      expect([...fieldsOf(widget, bare(live)).difference(wanted).paths()]).toEqual([]);
      expect([...wanted.difference(fieldsOf(widget, bare(live))).paths()]).toEqual([]);
      expect([...owned.difference(wanted).paths()]).toEqual([]);
    }),
  );
});

test('a set comes back from its JSON', () => {
  fc.assert(
    fc.property(configs, (config) => {
      const set = fieldsOf(widget, config);
      expect(FieldSet.fromJson(JSON.parse(JSON.stringify(set.toJson()))).equals(set)).toBe(true);
    }),
  );
});
