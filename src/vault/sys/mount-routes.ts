import { denied, invalidRequest } from '../faults.ts';
import { describeMount, describeTuning, type Mount } from '../mount/mount.ts';
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
        await mounts.enable(planMount(mountPath(captures.path!), fields, mounts.types));
        return undefined;
      },
      delete: async (context, { captures }) => {
        await context.mounts().disable(mountPath(captures.path!));
        return undefined;
      },
    },
  }),
  defineRoute('mounts', {
    fields: noFields,
    dataAtTop: true,
    on: { read: (context) => ({ data: table(secretMounts(context)) }) },
  }),
  defineRoute('auth/*path/tune', {
    fields: noFields,
    dataAtTop: true,
    on: {
      read: (context, { captures }) => {
        const path = mountPath(captures.path!);
        return readTuning(`auth/${path}`, authMountAt(context, path));
      },
    },
  }),
  defineRoute('auth/*path', {
    fields: noFields,
    dataAtTop: true,
    on: {
      read: (context, { captures }) => {
        const path = mountPath(captures.path!);
        const mount = authMountAt(context, path);
        if (!mount) throw invalidRequest(`No auth engine at ${path}`);
        return { data: describeMount(mount) };
      },
    },
  }),
  defineRoute('auth', {
    fields: noFields,
    dataAtTop: true,
    on: { read: ({ fixed }) => ({ data: table(fixed.auth) }) },
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

function authMountAt({ fixed }: SysContext, path: string): Mount | undefined {
  return fixed.auth.find((mount) => mount.path === path);
}

function secretMounts({ fixed, mounts }: SysContext): Mount[] {
  return [...fixed.secret, ...mounts().all()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

function table(mounts: readonly Mount[]): Record<string, unknown> {
  return Object.fromEntries(mounts.map((mount) => [mount.path, describeMount(mount)]));
}

function mountAt(context: SysContext, text: string): Mount {
  const path = mountPath(text);
  const mount = context.mounts().at(path);
  if (!mount) throw invalidRequest(`No secret engine mount at ${path}`);
  return mount;
}

function readTuning(path: string, mount: Mount | undefined): Answer {
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
  return { data: { ...describeMount(mount), path: mount.path } };
}

/** With a token what its policies reach; without one only what is shown to everybody. */
function visibleMounts(context: SysContext, { presented, access }: Caller): Answer {
  const known = presented.id !== '';
  const shown = (mounts: readonly Mount[], prefix: string) =>
    Object.fromEntries(
      mounts
        .filter(
          (mount) =>
            mount.listingVisibility === 'unauth' || (known && access.reachesBelow(prefix + mount.path)),
        )
        .map((mount) => [mount.path, known ? describeMount(mount) : publicPart(mount)]),
    );
  return { data: { auth: shown(context.fixed.auth, 'auth/'), secret: shown(secretMounts(context), '') } };
}

function publicPart({ description, options, type }: Mount): Record<string, unknown> {
  return { description, options, type };
}
