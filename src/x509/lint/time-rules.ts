import { tags } from '../der-tag.ts';
import { readGeneralizedTime, readUtcTime } from '../der-time.ts';
import type { Node } from './node.ts';
import type { RuleFor } from './rule.ts';

/** How times are written (RFC 5280 sections 4.1.2.5, 5.1.2.4 to 5.1.2.6), in names after `prefix`. */
export function timeRules<S>(prefix: string, timesIn: (specimen: S) => readonly Node[]): RuleFor<S>[] {
  const texts = (specimen: S, tag: number) =>
    timesIn(specimen)
      .filter((time) => time.tag === tag)
      .map(({ content }) => content.toString('latin1'));
  const rule = (
    [name, tag]: readonly [string, number],
    says: string,
    isBad: (text: string) => boolean,
  ): RuleFor<S> => ({
    name: `${prefix}${name}`,
    source: 'RFC5280',
    says,
    appliesTo: (specimen) => timesIn(specimen).some((time) => time.tag === tag),
    isBrokenBy: (specimen) => texts(specimen, tag).some(isBad),
  });
  return [
    {
      name: `${prefix}wrong_time_format_pre2050`,
      source: 'RFC5280',
      says: 'Times before 2050 are of the type UTCTime',
      isBrokenBy: (specimen) => texts(specimen, tags.generalizedTime).some((text) => text < '2050'),
    },
    rule(
      ['utc_time_does_not_include_seconds', tags.utcTime],
      'A UTCTime has seconds',
      (text) => !/^\d{12}(?!\d)/.test(text),
    ),
    rule(['utc_time_not_in_zulu', tags.utcTime], 'A UTCTime ends in Z', (text) => !text.endsWith('Z')),
    rule(
      ['generalized_time_does_not_include_seconds', tags.generalizedTime],
      'A GeneralizedTime has seconds',
      (text) => !/^\d{14}(?!\d)/.test(text),
    ),
    rule(
      ['generalized_time_includes_fraction_seconds', tags.generalizedTime],
      'A GeneralizedTime has no fractions of a second',
      (text) => /[.,]/.test(text),
    ),
    rule(
      ['generalized_time_not_in_zulu', tags.generalizedTime],
      'A GeneralizedTime ends in Z',
      (text) => !text.endsWith('Z'),
    ),
  ];
}

/** An instant, whatever form it is in; undefined where it cannot be told. */
export function instantOf({ tag, content }: Node): number | undefined {
  const read = tag === tags.utcTime ? readUtcTime : readGeneralizedTime;
  return read(content);
}
