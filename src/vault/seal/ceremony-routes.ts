import { invalidRequest } from '../faults.ts';
import { defineRoute, noFields, type TypedHandler } from '../routing/define-route.ts';
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
import { readShare } from './key-shares.ts';
import type { Rekey } from './rekey.ts';
import { decodeToken } from './root-generation.ts';

const initFields = {
  secret_shares: 'integer',
  secret_threshold: 'integer',
  pgp_keys: 'commaList',
  backup: 'boolean',
  require_verification: 'boolean',
} as const;
const shareFields = { key: 'text', nonce: 'text' } as const;
const decodeFields = { encoded_token: 'text', otp: 'text' } as const;
const attemptFields = { otp: 'text', pgp_key: 'text' } as const;

/** How a path is told apart from its twin: who gets through, and what its answers stand in. */
interface Style {
  open: boolean;
  answer: (body: Body) => Answer;
}

/** Vault's: open to anyone, since whoever has shares needs no token; its answers are no engine's. */
const vaults: Style = {
  open: true,
  answer: (body) => ({
    raw: { contentType: 'application/json', body: Buffer.from(`${JSON.stringify(body)}\n`) },
  }),
};

/** OpenBao's: for those with a token whose policies allow it, in the envelope. */
const openBaos: Style = { open: false, answer: (data) => ({ data }) };

type Act<Fields extends FieldTable> = (
  at: Ceremonies,
  fields: Parameters<TypedHandler<SysContext, Fields>>[1]['fields'],
) => Body | undefined | Promise<Body | undefined>;

/** A route of what holders of shares do; one of them at a time. */
function ceremonyRoute<Fields extends FieldTable>(
  path: string,
  { open, answer }: Style,
  fields: Fields,
  acts: Partial<Record<'read' | 'update' | 'delete', Act<Fields>>>,
): Route<SysContext> {
  const handlers = Object.entries(acts).map(([operation, act]) => {
    const handler: TypedHandler<SysContext, Fields> = async ({ seal }, given) => {
      const body = await seal?.ceremony((at) => act(at, given.fields));
      return body && answer(body);
    };
    return [operation, handler];
  });
  return defineRoute(path, { fields, open, on: Object.fromEntries(handlers) as Handlers<Fields> });
}

type Handlers<Fields extends FieldTable> = Partial<
  Record<'read' | 'update' | 'delete', TypedHandler<SysContext, Fields>>
>;

const ofBarrier = ({ barrier }: Ceremonies) => barrier;

/** What `sys/generate-root` answered, and the one-time password, give the token: for who has no other means. */
const decodeRoute = defineRoute<SysContext, typeof decodeFields>('decode-token', {
  fields: decodeFields,
  open: true,
  on: {
    update: (_, { fields }) => ({
      data: { token: decodeToken(fields.encoded_token ?? '', fields.otp ?? '') },
    }),
  },
});

/** Of shares encrypted with PGP, which are not made here. */
function backupRoute(path: string): Route<SysContext> {
  return defineRoute(path, {
    fields: noFields,
    sudo: true,
    on: {
      read() {
        throw invalidRequest('no backed-up keys found');
      },
      delete: () => undefined,
    },
  });
}

/** What enough holders of shares can do, by Vault's paths and by OpenBao's. */
export const ceremonyRoutes: readonly Route<SysContext>[] = [
  ...rekeyRoutes('rekey', vaults, ofBarrier),
  ...rekeyRoutes('rekey-recovery-key', vaults, withRecovery),
  ...rootRoutes('generate-root', vaults),
  decodeRoute,
  ...['rekey/backup', 'rekey/recovery-key-backup'].map(backupRoute),
  ...rekeyRoutes('rotate/root', openBaos, ofBarrier),
  ...rekeyRoutes('rotate/recovery', openBaos, withRecovery),
  ...rootRoutes('generate-root-token', openBaos),
];

/** @throws Fault `vault.request.invalid` where there is no recovery key */
function withRecovery({ hasRecovery, recovery }: Ceremonies): Rekey {
  if (!hasRecovery) throw invalidRequest('recovery rekeying not supported');
  return recovery;
}

function rootRoutes(path: string, style: Style): Route<SysContext>[] {
  return [
    ceremonyRoute(`${path}/attempt`, style, attemptFields, {
      read: ({ rootToken }) => rootStatus(rootToken),
      update({ rootToken }, fields) {
        refusePgp(fields, 'pgp_key');
        return rootStatus(rootToken, rootToken.init(fields.otp ?? ''));
      },
      delete({ rootToken }) {
        rootToken.cancel();
        return undefined;
      },
    }),
    ceremonyRoute(`${path}/update`, style, shareFields, {
      async update({ rootToken }, fields) {
        const share = readShare(fields);
        const { nonce = '' } = fields;
        const { required } = rootToken.status();
        return rootProgress(nonce, required, await rootToken.update(share, nonce));
      },
    }),
  ];
}

function rekeyRoutes(path: string, style: Style, of: (at: Ceremonies) => Rekey): Route<SysContext>[] {
  return [
    ceremonyRoute(`${path}/init`, style, initFields, {
      read: (at) => rekeyStatus(of(at)),
      update(at, fields) {
        refusePgp(fields, 'pgp_keys');
        const count = { shares: fields.secret_shares ?? 0, threshold: fields.secret_threshold ?? 0 };
        of(at).init(count, fields.require_verification ?? false);
        return rekeyStatus(of(at));
      },
      delete(at) {
        of(at).cancel();
        return undefined;
      },
    }),
    ceremonyRoute(`${path}/update`, style, shareFields, {
      async update(at, fields) {
        const share = readShare(fields);
        const { nonce = '' } = fields;
        const done = await of(at).update(share, nonce);
        return done ? rekeyDone(nonce, done) : rekeyStatus(of(at));
      },
    }),
    ceremonyRoute(`${path}/verify`, style, shareFields, {
      read: (at) => verificationStatus(of(at)),
      async update(at, fields) {
        const done = await of(at).verify(readShare(fields), fields.nonce ?? '');
        return done ? { nonce: done.nonce, complete: true } : verificationStatus(of(at));
      },
      delete(at) {
        of(at).restartVerification();
        return verificationStatus(of(at));
      },
    }),
  ];
}
