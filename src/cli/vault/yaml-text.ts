import { Document, Scalar } from 'yaml';
import { entriesOf, isList, NumberText, type Value } from './value.ts';

/** YAML in the form that Vault prints: keys sorted, lists flush with their key, one line end at the end. */
export function yamlText(value: Value): string {
  const document = new Document(plain(value));
  return document.toString({ indentSeq: false, lineWidth: 80, minContentWidth: 0, singleQuote: true });
}

type Plain = null | boolean | number | bigint | Scalar | Plain[] | Map<Scalar, Plain>;

function plain(value: Value): Plain {
  if (value instanceof NumberText)
    return /^-?\d+$/.test(value.text) ? BigInt(value.text) : Number(value.text);
  if (isList(value)) return value.map(plain);
  if (typeof value === 'string') return scalar(value);
  if (value === null || typeof value !== 'object') return value;
  return new Map(
    entriesOf(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, held]) => [scalar(key), plain(held)]),
  );
}

/** Text that YAML 1.1 readers would take for something else stands in double quotes. */
function scalar(text: string): Scalar {
  const node = new Scalar(text);
  if (seemsOther.test(text)) node.type = Scalar.QUOTE_DOUBLE;
  return node;
}

const seemsOther = new RegExp(
  [
    '|~|null|Null|NULL|<<|=',
    'y|Y|yes|Yes|YES|n|N|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF',
    '[-+]?(0b[01_]+|0o?[0-7_]+|0x[\\da-fA-F_]+|[\\d][\\d_]*)',
    '[-+]?(\\.\\d+|\\d[\\d_]*(\\.\\d*)?)([eE][-+]?\\d+)?',
    '[-+]?\\.(inf|Inf|INF)|\\.(nan|NaN|NAN)',
    // Sexagesimal numbers and dates.
    '[-+]?\\d[\\d_]*(:[0-5]?\\d)+(\\.[\\d_]*)?',
    '\\d{4}-\\d{1,2}-\\d{1,2}([Tt ]+\\d{1,2}:\\d{2}:\\d{2}(\\.\\d*)?( ?(Z|[-+]\\d{1,2}(:\\d{2})?))?)?',
  ]
    .map((form) => `^(?:${form})$`)
    .join('|'),
);
