import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Route } from '../routing/route.ts';
import type { SysContext } from '../sys/sys-context.ts';

/** For a server that can be sealed. Its keys are gone once requests under way are answered. */
export const sealRoutes: readonly Route<SysContext>[] = [
  defineRoute('seal', {
    fields: noFields,
    sudo: true,
    on: {
      update({ seal }) {
        seal?.();
        return undefined;
      },
    },
  }),
];
