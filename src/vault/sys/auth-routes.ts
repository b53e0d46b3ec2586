import { invalidRequest } from '../faults.ts';
import { authPrefix, describeMount } from '../mount/mount.ts';
import { enableFields, mountPath, planMount, tuneFields, tuneMount } from '../mount/mount-rules.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Route } from '../routing/route.ts';
import { describeMounts, readTuning } from './mount-routes.ts';
import type { SysContext } from './sys-context.ts';

export const authRoutes: readonly Route<SysContext>[] = [
  defineRoute('auth/*path/tune', {
    fields: tuneFields,
    dataAtTop: true,
    sudo: true,
    on: {
      read: (context, { captures }) => {
        const path = authPath(captures.path!);
        return readTuning(path, context.mounts().at(path));
      },
      update: async (context, { captures, fields }) => {
        await context.mounts().tune(authPath(captures.path!), (mount) => tuneMount(mount, fields));
        return undefined;
      },
    },
  }),
  defineRoute('auth/*path', {
    fields: enableFields,
    dataAtTop: true,
    sudo: true,
    on: {
      read: (context, { captures }) => {
        const mount = context.mounts().at(authPath(captures.path!));
        if (!mount) throw invalidRequest(`No auth engine at ${mountPath(captures.path!)}`);
        return { data: describeMount(mount) };
      },
      update: async (context, { captures, fields }) => {
        const mounts = context.mounts();
        await mounts.enable(
          planMount(authPath(captures.path!), fields, { kind: 'auth', types: mounts.types('auth') }),
        );
        return undefined;
      },
      delete: async (context, { captures }) => {
        const path = authPath(captures.path!);
        if (path === `${authPrefix}token/`)
          throw invalidRequest('token credential backend cannot be disabled');
        await context.mounts().disable(path);
        return undefined;
      },
    },
  }),
  defineRoute('auth', {
    fields: noFields,
    dataAtTop: true,
    on: { read: (context) => ({ data: describeMounts(context.mounts().all('auth')) }) },
  }),
];

function authPath(text: string): string {
  return authPrefix + mountPath(text);
}
