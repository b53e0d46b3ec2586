import { formatDuration } from '../../base/duration.ts';
import { formatInstant } from '../instant.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Route } from '../routing/route.ts';
import { snapshotRoutes } from '../snapshot/snapshot-routes.ts';
import type { SysContext } from '../sys/sys-context.ts';
import { ceremonyRoutes } from './ceremony-routes.ts';

const rotationFields = { max_operations: 'integer', interval: 'duration', enabled: 'boolean' } as const;

/** For a server that can be sealed. Of two paths to one thing the first is Vault's, the other OpenBao's. */
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
  // There is nobody to step down for: it does nothing, whoever asks, as on a single server of Vault's.
  defineRoute('step-down', { fields: noFields, open: true, on: { update: () => undefined } }),
  ...['rotate', 'rotate/keyring'].map((path) =>
    defineRoute<SysContext, typeof noFields>(path, {
      fields: noFields,
      sudo: true,
      on: {
        async update({ seal }) {
          await seal?.rotation.rotate();
          return undefined;
        },
      },
    }),
  ),
  ...['rotate/config', 'rotate/keyring/config'].map((path) =>
    defineRoute<SysContext, typeof rotationFields>(path, {
      fields: rotationFields,
      on: {
        async read({ seal }) {
          const config = await seal?.rotation.config();
          if (!config) return undefined;
          const { enabled, maxOperations, intervalMs } = config;
          const interval = intervalMs === 0 ? 0 : formatDuration(intervalMs);
          return { data: { enabled, interval, max_operations: maxOperations } };
        },
        async update({ seal }, { fields }) {
          const { max_operations: maxOperations, interval: intervalMs, enabled } = fields;
          await seal?.rotation.configure({
            ...(maxOperations === undefined ? {} : { maxOperations }),
            ...(intervalMs === undefined ? {} : { intervalMs }),
            ...(enabled === undefined ? {} : { enabled }),
          });
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
        const status = seal?.rotation.status();
        if (!status) return undefined;
        const { term, installedMs, encryptions } = status;
        return { data: { term, install_time: formatInstant(installedMs), encryptions } };
      },
    },
  }),
  ...ceremonyRoutes,
  ...snapshotRoutes,
];
