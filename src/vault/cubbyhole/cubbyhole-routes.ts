import { failed } from '../faults.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Answer, Caller, Route } from '../routing/route.ts';
import type { Cubbyhole } from './cubbyhole.ts';

export const cubbyholeRoutes: readonly Route<Cubbyhole>[] = [
  defineRoute('', {
    fields: noFields,
    on: { list: (held, { caller }) => list(held, caller, '') },
  }),
  defineRoute('*path', {
    fields: noFields,
    free: true,
    exists: async (held, { captures, caller }) =>
      (await held.read(caller.presented.token, captures.path!)) !== undefined,
    on: {
      list: (held, { captures, caller }) => list(held, caller, `${captures.path!}/`),
      read: async (held, { captures, caller }) => {
        const data = await held.read(caller.presented.token, captures.path!);
        return data && { data };
      },
      update: async (held, { captures, caller, data }) => {
        if (Object.keys(data).length === 0) throw failed('missing data fields');
        await held.write(caller.presented.token, captures.path!, { ...data });
        return undefined;
      },
      delete: async (held, { captures, caller }) => {
        await held.remove(caller.presented.token, captures.path!);
        return undefined;
      },
    },
  }),
];

async function list(held: Cubbyhole, { presented }: Caller, folder: string): Promise<Answer> {
  return { data: { keys: await held.list(presented.token, folder) } };
}
