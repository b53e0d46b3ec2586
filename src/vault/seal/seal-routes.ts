import { formatInstant } from '../instant.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Route } from '../routing/route.ts';
import type { SysContext } from '../sys/sys-context.ts';

/** For a server that can be sealed. */
export const sealRoutes: readonly Route<SysContext>[] = [
  defineRoute('seal', {
    fields: noFields,
    sudo: true,
    on: {
      update({ seal }) {
        seal?.seal();
        return undefined;
      },
    },
  }),
  // Vault's path and OpenBao's.
  ...['rotate', 'rotate/keyring'].map((path) =>
    defineRoute<SysContext, typeof noFields>(path, {
      fields: noFields,
      sudo: true,
      on: {
        async update({ seal }) {
          await seal?.rotate();
          return undefined;
        },
      },
    }),
  ),
  defineRoute('key-status', {
    fields: noFields,
    dataAtTop: true,
    on: {
      read({ seal }) {
        const status = seal?.keyStatus();
        return status && { data: { term: status.term, install_time: formatInstant(status.installedMs) } };
      },
    },
  }),
];
