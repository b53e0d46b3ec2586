import { failed, invalidRequest, rejected } from '../faults.ts';
import type { AccessList } from '../policy/access-list.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { FieldTable, FieldValues } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';
import type { SysContext } from './sys-context.ts';

const pathFields = { paths: 'commaList', path: 'commaList' } as const satisfies FieldTable;

export const capabilityRoutes: readonly Route<SysContext>[] = [
  defineRoute('capabilities-self', {
    fields: { ...pathFields, token: 'text' },
    dataAtTop: true,
    on: { update: (_, { fields, caller }) => describe(caller.access, fields) },
  }),
  defineRoute('capabilities', {
    fields: { ...pathFields, token: 'text' },
    dataAtTop: true,
    on: {
      update: async ({ tokens, policies }, { fields }) => {
        if (!fields.token) throw failed('no token found');
        const found = await tokens.lookup(fields.token);
        if (!found) throw rejected('invalid token');
        return describe(await policies.access(found.token), fields);
      },
    },
  }),
  defineRoute('capabilities-accessor', {
    fields: { ...pathFields, accessor: 'text' },
    dataAtTop: true,
    on: {
      update: async ({ tokens, policies }, { fields }) => {
        if (!fields.accessor) throw invalidRequest('missing accessor');
        const token = await tokens.byAccessor(fields.accessor);
        if (!token) throw rejected('invalid accessor');
        return describe(await policies.access(token), fields);
      },
    },
  }),
];

function describe(access: AccessList, fields: FieldValues<typeof pathFields>): Answer {
  const paths = fields.paths?.length ? fields.paths : (fields.path ?? []);
  if (paths.length === 0) throw invalidRequest('paths must be supplied');
  const found = paths.map((path) => [path, access.capabilitiesOn(path.replace(/^\/+/, ''))] as const);
  return {
    data: {
      ...Object.fromEntries(found),
      // Where one path is asked for, old clients look here.
      ...(found.length === 1 ? { capabilities: found[0]![1] } : {}),
    },
  };
}
