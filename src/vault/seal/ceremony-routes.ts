import { defineRoute, type TypedHandler } from '../routing/define-route.ts';
import type { FieldTable } from '../routing/fields.ts';
import type { Answer, Route } from '../routing/route.ts';
import type { SysContext } from '../sys/sys-context.ts';
import type { Ceremonies } from './ceremonies.ts';
import {
  type Body,
  refusePgp,
  rekeyDone,
  rekeyStatus,
  rootProgress,
  rootStatus,
  verificationStatus,
} from './ceremony-answers.ts';
import { withRecovery } from './ceremony-paths.ts';
import { readShare } from './key-shares.ts';
import type { Rekey } from './rekey.ts';

const initFields = {
  secret_shares: 'integer',
  secret_threshold: 'integer',
  pgp_keys: 'commaList',
  backup: 'boolean',
  require_verification: 'boolean',
} as const;
const shareFields = { key: 'text', nonce: 'text' } as const;
const attemptFields = { otp: 'text', pgp_key: 'text' } as const;

/** A handler of what holders of shares do, its answer in the envelope. */
function ceremony<Fields extends FieldTable>(
  act: (
    at: Ceremonies,
    fields: Parameters<TypedHandler<SysContext, Fields>>[1]['fields'],
  ) => Body | undefined | Promise<Body | undefined>,
): TypedHandler<SysContext, Fields> {
  return async ({ seal }, { fields }): Promise<Answer | undefined> => {
    const body = await seal?.ceremony((at) => act(at, fields));
    return body && { data: body };
  };
}

/** The same ceremonies for those with a token whose policies allow them: OpenBao's paths. */
export const ceremonyRoutes: readonly Route<SysContext>[] = [
  ...rekeyRoutes('rotate/root', ({ barrier }) => barrier),
  ...rekeyRoutes('rotate/recovery', withRecovery),
  defineRoute('generate-root-token/attempt', {
    fields: attemptFields,
    on: {
      read: ceremony(({ rootToken }) => rootStatus(rootToken)),
      update: ceremony<typeof attemptFields>(({ rootToken }, fields) => {
        refusePgp(fields, 'pgp_key');
        return rootStatus(rootToken, rootToken.init(fields.otp ?? ''));
      }),
      delete: ceremony(({ rootToken }) => {
        rootToken.cancel();
        return undefined;
      }),
    },
  }),
  defineRoute('generate-root-token/update', {
    fields: shareFields,
    on: {
      update: ceremony<typeof shareFields>(async ({ rootToken }, fields) => {
        const { required } = rootToken.status();
        const { nonce = '' } = fields;
        return rootProgress(nonce, required, await rootToken.update(readShare(fields), nonce));
      }),
    },
  }),
];

function rekeyRoutes(path: string, of: (at: Ceremonies) => Rekey): Route<SysContext>[] {
  return [
    defineRoute(`${path}/init`, {
      fields: initFields,
      on: {
        read: ceremony((at) => rekeyStatus(of(at))),
        update: ceremony<typeof initFields>((at, fields) => {
          refusePgp(fields, 'pgp_keys');
          const count = { shares: fields.secret_shares ?? 0, threshold: fields.secret_threshold ?? 0 };
          of(at).init(count, fields.require_verification ?? false);
          return rekeyStatus(of(at));
        }),
        delete: ceremony((at) => {
          of(at).cancel();
          return undefined;
        }),
      },
    }),
    defineRoute(`${path}/update`, {
      fields: shareFields,
      on: {
        update: ceremony<typeof shareFields>(async (at, fields) => {
          const { nonce = '' } = fields;
          const done = await of(at).update(readShare(fields), nonce);
          return done ? rekeyDone(nonce, done) : rekeyStatus(of(at));
        }),
      },
    }),
    defineRoute(`${path}/verify`, {
      fields: shareFields,
      on: {
        read: ceremony((at) => verificationStatus(of(at))),
        update: ceremony<typeof shareFields>(async (at, fields) => {
          const done = await of(at).verify(readShare(fields), fields.nonce ?? '');
          return done ? { nonce: done.nonce, complete: true } : verificationStatus(of(at));
        }),
        delete: ceremony((at) => {
          of(at).restartVerification();
          return verificationStatus(of(at));
        }),
      },
    }),
  ];
}
