import { invalidRequest } from '../faults.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { FieldTable } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';
import type { SysContext } from './sys-context.ts';

const policyFields = { policy: 'text' } as const satisfies FieldTable;
/** The old path took the text as `rules`. */
const oldPolicyFields = { policy: 'text', rules: 'text' } as const satisfies FieldTable;

export const policyRoutes: readonly Route<SysContext>[] = [
  defineRoute('policies/acl', {
    fields: noFields,
    on: { list: async ({ policies }) => ({ data: { keys: await policies.names() } }) },
  }),
  defineRoute('policies/acl/*name', {
    fields: policyFields,
    on: {
      list: (context, { captures }) => listBelow(context, captures.name!),
      read: (context, { captures }) => read(context, captures.name!, 'policy'),
      update: (context, { captures, fields }) => write(context, captures.name!, fields.policy ?? ''),
      patch: (context, { captures, fields }) => patch(context, captures.name!, fields.policy),
      delete: (context, { captures }) => remove(context, captures.name!),
    },
  }),
  defineRoute('policy', { fields: noFields, dataAtTop: true, on: { read: listOld, list: listOld } }),
  defineRoute('policy/*name', {
    fields: oldPolicyFields,
    dataAtTop: true,
    on: {
      read: (context, { captures }) => read(context, captures.name!, 'rules'),
      update: async (context, { captures, fields }) => {
        if (fields.policy) return write(context, captures.name!, fields.policy);
        const answer = await write(context, captures.name!, fields.rules ?? '');
        const deprecated = "'rules' is deprecated, please use 'policy' instead";
        return { warnings: [...(answer?.warnings ?? []), deprecated] };
      },
      delete: (context, { captures }) => remove(context, captures.name!),
    },
  }),
];

/** Whole names, as OpenBao lists them. */
async function listBelow({ policies }: SysContext, folder: string): Promise<Answer> {
  const names = await policies.names();
  return { data: { keys: names.filter((name) => name.startsWith(`${folder.toLowerCase()}/`)) } };
}

/** OpenBao's: changes a policy that is there already. */
async function patch({ policies }: SysContext, given: string, text: string | undefined): Promise<Answer> {
  const name = given.toLowerCase();
  if ((await policies.read(name)) === undefined) throw invalidRequest('policy not found');
  if (text !== undefined) await policies.write(name, decodeIfBase64(text));
  return {};
}

async function listOld({ policies }: SysContext): Promise<Answer> {
  const keys = await policies.names();
  return { data: { keys, policies: keys } };
}

async function read(
  { policies }: SysContext,
  given: string,
  textName: 'policy' | 'rules',
): Promise<Answer | undefined> {
  const name = given.toLowerCase();
  const text = await policies.read(name);
  return text === undefined ? undefined : { data: { name, [textName]: text } };
}

async function write({ policies }: SysContext, given: string, text: string): Promise<Answer | undefined> {
  if (text === '') throw invalidRequest("'policy' parameter not supplied or empty");
  const name = given.toLowerCase();
  await policies.write(name, decodeIfBase64(text));
  return name === given ? undefined : { warnings: [`policy name was converted to ${name}`] };
}

/** Policies may come in base64; no policy in HCL or JSON that says anything is base64 as well. */
function decodeIfBase64(text: string): string {
  const compact = text.replaceAll(/[\r\n]/g, '');
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(compact)) return text;
  return Buffer.from(compact, 'base64').toString();
}

async function remove({ policies }: SysContext, name: string): Promise<undefined> {
  await policies.remove(name.toLowerCase());
}
