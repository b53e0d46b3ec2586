import { denial, type Grant, type ParameterValues } from './policy.ts';

/** What two policies grant together on the same path: the union, the narrower wrapping times, or a denial. */
export function mergeGrants(one: Grant, other: Grant): Grant {
  if (one.deny || other.deny) return denial;
  const allowedParameters = mergeParameters(one.allowedParameters, other.allowedParameters);
  const deniedParameters = mergeParameters(one.deniedParameters, other.deniedParameters);
  return {
    deny: false,
    capabilities: new Set([...one.capabilities, ...other.capabilities]),
    requiredParameters: [...new Set([...one.requiredParameters, ...other.requiredParameters])],
    minWrappingTtlMs: shorter(one.minWrappingTtlMs, other.minWrappingTtlMs),
    maxWrappingTtlMs: shorter(one.maxWrappingTtlMs, other.maxWrappingTtlMs),
    ...(allowedParameters ? { allowedParameters } : {}),
    ...(deniedParameters ? { deniedParameters } : {}),
  };
}

/** Zero means that none was set. */
function shorter(one: number, other: number): number {
  return one === 0 ? other : other === 0 ? one : Math.min(one, other);
}

function mergeParameters(one: ParameterValues | undefined, other: ParameterValues | undefined) {
  if (!one || one.size === 0) return other;
  if (!other || other.size === 0) return one;
  const merged = new Map(one);
  for (const [name, values] of other) {
    const existing = merged.get(name);
    // An empty list stands for every value, and so takes in any other.
    const any = values.length === 0 || existing?.length === 0;
    merged.set(name, any ? [] : [...values, ...(existing ?? [])]);
  }
  return merged;
}
