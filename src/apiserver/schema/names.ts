const label = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomain = `${label}(\\.${label})*`;
const label1035 = '[a-z]([-a-z0-9]*[a-z0-9])?';
const qualified = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const configKey = '[-._a-zA-Z0-9]+';

/** Each checker answers what is wrong with a name, in upstream's words; nothing where it is right. */
export type NameChecker = (name: string) => string[];

/** A label of a DNS name, RFC 1123: namespaces. */
export const dns1123Label = checker(
  label,
  63,
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  ['my-name', '123-abc'],
);

/** A DNS name, RFC 1123: most kinds. */
export const dns1123Subdomain = checker(
  subdomain,
  253,
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  ['example.com'],
);

/** A label that starts with a letter, RFC 1035: services, versions and names of resources. */
export const dns1035Label = checker(
  label1035,
  63,
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  ['my-name', 'abc-123'],
);

const labelName = checker(
  qualified,
  Infinity,
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ['MyName', 'my.name', '123-abc'],
);

const labelText = checker(
  `(${qualified})?`,
  63,
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  ['MyValue', 'my_value', '12345'],
);

const configMapName = checker(
  configKey,
  253,
  "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  ['key.name', 'KEY_NAME', 'key-name'],
);

/** The key of a label, an annotation (in lower case) or a finalizer. */
export function labelKey(key: string): string[] {
  const parts = key.split('/');
  const name = parts.at(-1)!;
  if (parts.length > 2) {
    return [
      `a valid label key ${labelName('').at(-1)!} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const prefix = parts.length === 2 ? parts[0]! : undefined;
  const problems =
    prefix === undefined ? [] : prefix === '' ? ['must be non-empty'] : dns1123Subdomain(prefix);
  return [
    ...problems.map((problem) => `prefix part ${problem}`),
    ...(name === '' ? ['name part must be non-empty'] : []),
    ...(name.length > 63 ? ['name part must be no more than 63 bytes'] : []),
    ...labelName(name).map((problem) => `name part ${problem}`),
  ];
}

export const labelValue: NameChecker = labelText;

/** A key in the data of a Secret or ConfigMap. */
export function configMapKey(key: string): string[] {
  const parents =
    key === '.' || key === '..'
      ? [`must not be '${key}'`]
      : key.startsWith('..')
        ? ["must not start with '..'"]
        : [];
  return [...configMapName(key), ...parents];
}

/** A name that must only fit in a path: RBAC's kinds. */
export function pathSegment(name: string): string[] {
  if (name === '.' || name === '..') return [`may not be '${name}'`];
  return ['/', '%']
    .filter((character) => name.includes(character))
    .map((character) => `may not contain '${character}'`);
}

function checker(pattern: string, maxLength: number, message: string, examples: string[]): NameChecker {
  const whole = new RegExp(`^${pattern}$`);
  const quoted = examples.map((example) => `'${example}', `).join(' or ');
  const wrong = `${message} (e.g. ${quoted}regex used for validation is '${pattern}')`;
  return (name) => [
    ...(name.length > maxLength ? [`must be no more than ${maxLength} bytes`] : []),
    ...(whole.test(name) ? [] : [wrong]),
  ];
}
