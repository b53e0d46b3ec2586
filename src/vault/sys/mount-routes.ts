import { denied, invalidRequest } from '../faults.ts';
import {
  describeMount,
  describeTuning,
  kindOf,
  listedPath,
  type Mount,
  type MountKind,
} from '../mount/mount.ts';
import { enableFields, mountPath, planMount, tuneFields, tuneMount } from '../mount/mount-rules.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Answer, Caller, Route } from '../routing/route.ts';
import type { SysContext } from './sys-context.ts';

export const mountRoutes: readonly Route<SysContext>[] = [
  defineRoute('mounts/*path/tune', {
    fields: tuneFields,
    dataAtTop: true,
    on: {
      read: (context, { captures }) => {
        const path = mountPath(captures.path!);
        return readTuning(path, context.mounts().at(path));
      },
      update: async (context, { captures, fields }) => {
        await context.mounts().tune(mountPath(captures.path!), (mount) => tuneMount(mount, fields));
        return undefined;
      },
    },
  }),
  defineRoute('mounts/*path', {
    fields: enableFields,
    dataAtTop: true,
    on: {
      read: (context, { captures }) => ({ data: describeMount(mountAt(context, captures.path!)) }),
      update: async (context, { captures, fields }) => {
        const mounts = context.mounts();
        await mounts.enable(
          planMount(mountPath(captures.path!), fields, { kind: 'secret', types: mounts.types('secret') }),
        );
        return undefined;
      },
      delete: async (context, { captures }) => {
        const path = mountPath(captures.path!);
        // Auth methods go by `sys/auth`, which asks for more than this path does.
        if (kindOf({ path }) === 'auth') throw invalidRequest(`cannot unmount "${path}"`);
        await context.mounts().disable(path);
        return undefined;
      },
    },
  }),
  defineRoute('mounts', {
    fields: noFields,
    dataAtTop: true,
    on: { read: (context) => ({ data: describeMounts(context.mounts().all('secret')) }) },
  }),
  defineRoute('internal/ui/mounts/*path', {
    fields: noFields,
    on: { read: (context, { captures, caller }) => visibleMount(context, captures.path!, caller) },
  }),
  defineRoute('internal/ui/mounts', {
    fields: noFields,
    open: true,
    on: { read: (context, { caller }) => visibleMounts(context, caller) },
  }),
];

/** Mounts of one kind by the paths that they are known by. */
export function describeMounts(mounts: readonly Mount[]): Record<string, unknown> {
  return Object.fromEntries(mounts.map((mount) => [listedPath(mount), describeMount(mount)]));
}

function mountAt(context: SysContext, text: string): Mount {
  const path = mountPath(text);
  const mount = context.mounts().at(path);
  if (!mount) throw invalidRequest(`No secret engine mount at ${path}`);
  return mount;
}

export function readTuning(path: string, mount: Mount | undefined): Answer {
  if (!mount) throw invalidRequest(`cannot fetch sysview for path "${path}"`);
  return { data: describeTuning(mount) };
}

/** The mount that a path lies below, for clients that must know its type before they use it. */
function visibleMount(context: SysContext, path: string, { access }: Caller): Answer {
  const mount = context.mounts().match(mountPath(path))?.mounted.mount;
  if (!mount || !access.reachesBelow(mount.path)) {
    // The same for a mount that is not there, so that this path cannot be used to look for mounts.
    throw denied(
      "preflight capability check returned 403, please ensure client's policies grant access to path " +
        `"${mountPath(path)}"`,
    );
  }
  return { data: { ...describeMount(mount), path: listedPath(mount) } };
}

/** With a token what its policies reach; without one only what is shown to everybody. */
export function isShown({ listingVisibility, path }: Mount, { presented, access }: Caller): boolean {
  return listingVisibility === 'unauth' || (presented.id !== '' && access.reachesBelow(path));
}

function visibleMounts(context: SysContext, caller: Caller): Answer {
  const known = caller.presented.id !== '';
  const shown = (kind: MountKind) =>
    Object.fromEntries(
      context
        .mounts()
        .all(kind)
        .filter((mount) => isShown(mount, caller))
        .map((mount) => [listedPath(mount), known ? describeMount(mount) : publicPart(mount)]),
    );
  return { data: { auth: shown('auth'), secret: shown('secret') } };
}

function publicPart({ description, options, type }: Mount): Record<string, unknown> {
  return { description, options, type };
}
