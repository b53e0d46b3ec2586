import { invalidRequest } from '../faults.ts';
import type { RateLimit } from '../quota/rate-limit.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Route } from '../routing/route.ts';
import type { SysContext } from './sys-context.ts';

const limitFields = {
  type: 'text',
  path: 'text',
  rate: 'text',
  interval: 'duration',
  block_interval: 'duration',
  role: 'text',
  inheritable: 'boolean',
} as const satisfies FieldTable;

const configFields = {
  rate_limit_exempt_paths: 'commaList',
  enable_rate_limit_audit_logging: 'boolean',
  enable_rate_limit_response_headers: 'boolean',
} as const satisfies FieldTable;

export const quotaRoutes: readonly Route<SysContext>[] = [
  defineRoute('quotas/config', {
    fields: configFields,
    on: {
      read: ({ quotas }) => {
        const { exemptPaths, auditRefusals, tellLimits } = quotas.config();
        return {
          data: {
            enable_rate_limit_audit_logging: auditRefusals,
            enable_rate_limit_response_headers: tellLimits,
            rate_limit_exempt_paths: exemptPaths,
          },
        };
      },
      update: async ({ quotas }, { fields }) => {
        await quotas.setConfig({
          ...(fields.rate_limit_exempt_paths ? { exemptPaths: fields.rate_limit_exempt_paths } : {}),
          ...(fields.enable_rate_limit_audit_logging === undefined
            ? {}
            : { auditRefusals: fields.enable_rate_limit_audit_logging }),
          ...(fields.enable_rate_limit_response_headers === undefined
            ? {}
            : { tellLimits: fields.enable_rate_limit_response_headers }),
        });
        return undefined;
      },
    },
  }),
  defineRoute('quotas/rate-limit', {
    fields: noFields,
    on: { list: ({ quotas }) => ({ data: { keys: quotas.limits().map(({ name }) => name) } }) },
  }),
  defineRoute('quotas/rate-limit/:name', {
    fields: limitFields,
    on: {
      read: ({ quotas }, { captures }) => {
        const found = quotas.limits().find(({ name }) => name === captures.name);
        return found && { data: describe(found) };
      },
      update: async ({ quotas }, { captures, fields }) => {
        const before = quotas.limits().find(({ name }) => name === captures.name);
        await quotas.put(readLimit(captures.name!, fields, before));
        return undefined;
      },
      delete: async ({ quotas }, { captures }) => {
        await quotas.delete(captures.name!);
        return undefined;
      },
    },
  }),
];

function describe({ name, path, rate, intervalMs, blockMs }: RateLimit): Record<string, unknown> {
  return {
    block_interval: blockMs / 1_000,
    inheritable: path === '',
    interval: intervalMs / 1_000,
    name,
    path,
    rate,
    role: '',
    type: 'rate-limit',
  };
}

/** What is not given stays as it was, or is Vault's default. */
function readLimit(
  name: string,
  fields: FieldValues<typeof limitFields>,
  before: RateLimit | undefined,
): RateLimit {
  if (fields.role) throw invalidRequest("'role' is not supported: limit the login path of the mount instead");
  const { rate, interval, block_interval: block, path } = fields;
  return {
    name,
    path: path === undefined ? (before?.path ?? '') : path.replace(/^\/+/, ''),
    rate: rate === undefined ? (before?.rate ?? 0) : Number(rate),
    intervalMs: interval === undefined ? (before?.intervalMs ?? 1_000) : interval,
    blockMs: block === undefined ? (before?.blockMs ?? 0) : block,
  };
}
