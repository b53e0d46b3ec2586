import type { AuditDevice } from '../audit/device.ts';
import { describeDevice, planDevice } from '../audit/device.ts';
import { invalidRequest } from '../faults.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';
import type { SysContext } from './sys-context.ts';

const enableFields = {
  type: 'text',
  description: 'text',
  options: 'pairs',
  local: 'boolean',
} as const satisfies FieldTable;

export const auditRoutes: readonly Route<SysContext>[] = [
  defineRoute('audit', {
    fields: noFields,
    sudo: true,
    dataAtTop: true,
    on: {
      read: ({ auditor }) => ({
        data: Object.fromEntries(auditor.devices().map((device) => [device.path, describeDevice(device)])),
      }),
    },
  }),
  defineRoute('audit/*path', {
    fields: enableFields,
    sudo: true,
    on: {
      update: async ({ auditor }, { captures, fields }) => {
        await auditor.enable(newDevice(devicePath(captures.path!), fields));
        return undefined;
      },
      delete: async ({ auditor }, { captures }) => {
        await auditor.disable(devicePath(captures.path!));
        return undefined;
      },
    },
  }),
  defineRoute('audit-hash/*path', {
    fields: { input: 'text' },
    dataAtTop: true,
    on: {
      update: ({ auditor }, { captures, fields }) => {
        if (!fields.input) throw invalidRequest('the "input" parameter is empty');
        return { data: { hash: auditor.hash(devicePath(captures.path!), fields.input) } };
      },
    },
  }),
  defineRoute('config/auditing/request-headers', {
    fields: noFields,
    sudo: true,
    dataAtTop: true,
    on: { read: ({ auditor }) => ({ data: { headers: Object.fromEntries(auditor.headers()) } }) },
  }),
  defineRoute('config/auditing/request-headers/:header', {
    fields: { hmac: 'boolean' },
    sudo: true,
    dataAtTop: true,
    on: {
      read: ({ auditor }, { captures }): Answer => {
        const name = captures.header!.toLowerCase();
        const setting = auditor.headers().get(name);
        if (!setting) throw invalidRequest('Could not find header in config');
        return { data: { [name]: setting } };
      },
      update: async ({ auditor }, { captures, fields }) => {
        await auditor.setHeader(captures.header!, { hmac: fields.hmac ?? false });
        return undefined;
      },
      delete: async ({ auditor }, { captures }) => {
        await auditor.setHeader(captures.header!, undefined);
        return undefined;
      },
    },
  }),
];

function devicePath(text: string): string {
  return `${text.replaceAll(/^\/+|\/+$/g, '')}/`;
}

function newDevice(path: string, fields: FieldValues<typeof enableFields>): Omit<AuditDevice, 'key'> {
  const { type = '', description = '', options = {}, local = false } = fields;
  planDevice(type, options);
  return { path, type, description, local, options };
}
