import { badRequest } from './status-errors.ts';

/** One requirement of a label selector; all of a selector's requirements must hold. */
export interface LabelRequirement {
  key: string;
  operator: 'in' | 'notin' | 'exists' | 'absent' | 'above' | 'below';
  values: readonly string[];
}

export type LabelSelector = readonly LabelRequirement[];

const token = String.raw`[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?`;
const setRequirement = new RegExp(`^(${token})\\s+(in|notin)\\s*\\(([^()]*)\\)$`);
const comparison = new RegExp(`^(${token})\\s*(==|=|!=|>|<)\\s*([-A-Za-z0-9_.]*)$`);
const presence = new RegExp(`^(!?)\\s*(${token})$`);

/**
 * `a=b,c!=d,e in (f, g),h notin (i),j,!k,l>1` as k8s.io/apimachinery/pkg/labels reads it.
 *
 * @throws StatusFault BadRequest
 */
export function parseLabelSelector(text: string): LabelSelector {
  return splitOutsideBrackets(text).map((part): LabelRequirement => {
    const inSet = setRequirement.exec(part);
    if (inSet) {
      const values = inSet[4]!.split(',').map((value) => value.trim());
      return { key: inSet[1]!, operator: inSet[3] as 'in' | 'notin', values };
    }
    const compared = comparison.exec(part);
    if (compared) {
      const operator = ({ '=': 'in', '==': 'in', '!=': 'notin', '>': 'above', '<': 'below' } as const)[
        compared[3] as '='
      ];
      return { key: compared[1]!, operator, values: [compared[4]!] };
    }
    const present = presence.exec(part);
    if (present) {
      return { key: present[2]!, operator: present[1] === '!' ? 'absent' : 'exists', values: [] };
    }
    throw badRequest(
      `unable to parse requirement: found ${JSON.stringify(part)}, expected a label requirement`,
    );
  });
}

function splitOutsideBrackets(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = '';
  for (const char of text) {
    if (char === '(') depth++;
    if (char === ')') depth--;
    if (char === ',' && depth === 0) {
      parts.push(part);
      part = '';
    } else part += char;
  }
  parts.push(part);
  return parts.map((one) => one.trim()).filter((one) => one !== '');
}

export function matchesLabels(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  return selector.every(({ key, operator, values }) => {
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    switch (operator) {
      case 'in':
        return value !== undefined && values.includes(value);
      case 'notin':
        return value === undefined || !values.includes(value);
      case 'exists':
        return value !== undefined;
      case 'absent':
        return value === undefined;
      case 'above':
        return value !== undefined && Number(value) > Number(values[0]);
      case 'below':
        return value !== undefined && Number(value) < Number(values[0]);
      default:
        return operator satisfies never;
    }
  });
}

export interface FieldRequirement {
  field: string;
  equal: boolean;
  value: string;
}

export type FieldSelector = readonly FieldRequirement[];

/**
 * `metadata.name=a,involvedObject.kind!=b`; backslash escapes `,`, `=` and itself.
 *
 * @throws StatusFault BadRequest
 */
export function parseFieldSelector(text: string): FieldSelector {
  return splitEscaped(text, ',')
    .filter((part) => part !== '')
    .map((part) => {
      const match = /^((?:[^=!\\]|\\.)*)(!=|==|=)(.*)$/s.exec(part);
      if (!match) throw badRequest(`invalid field selector: '${part}'; can't understand '${part}'`);
      return {
        field: match[1]!.trim(),
        equal: match[2] !== '!=',
        value: match[3]!.replaceAll(/\\(.)/gs, '$1'),
      };
    });
}

function splitEscaped(text: string, separator: string): string[] {
  const parts: string[] = [];
  let part = '';
  for (let at = 0; at < text.length; at++) {
    if (text[at] === '\\' && at + 1 < text.length) part += text[at]! + text[++at]!;
    else if (text[at] === separator) {
      parts.push(part);
      part = '';
    } else part += text[at];
  }
  return [...parts, part];
}

/** The text of a field selector's field; an absent field is the empty text, as upstream's field sets have it. */
export function fieldText(object: unknown, path: string): string {
  let value: unknown = object;
  for (const step of path.split('.')) {
    value =
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[step] : undefined;
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : '';
}
