import { invalidRequest } from '../faults.ts';
import type { RawFields } from '../routing/fields.ts';
import { notAllowed, type StatusAnswer, type StatusPath } from '../sys/status.ts';
import { switched, whole, words } from './body-values.ts';
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
import type { SealedVault } from './sealed-vault.ts';

/** Answers by method; undefined for one that the path does not take. */
type ByMethod = Partial<Record<'GET' | 'PUT' | 'DELETE', (at: Ceremonies, given: RawFields) => Answering>>;

type Answering = Body | undefined | Promise<Body | undefined>;

/** Vault's paths for what enough shares allow: open to anyone, since whoever has those needs no token. */
export function ceremonyPaths(vault: SealedVault): Readonly<Record<string, StatusPath>> {
  const path =
    (handlers: ByMethod): StatusPath =>
    ({ method, fields }) => {
      const act = handlers[method === 'POST' ? 'PUT' : (method as keyof ByMethod)];
      return act ? vault.ceremony(async (at) => answered(await act(at, fields()))) : notAllowed;
    };
  const rekey = (name: string, of: (at: Ceremonies) => Rekey) => ({
    [`sys/${name}/init`]: path(rekeyInit(of)),
    [`sys/${name}/update`]: path({ PUT: (at, given) => updateRekey(of(at), given) }),
    [`sys/${name}/verify`]: path(rekeyVerify(of)),
  });
  return {
    ...rekey('rekey', ({ barrier }) => barrier),
    ...rekey('rekey-recovery-key', withRecovery),
    'sys/generate-root/attempt': path({
      GET: ({ rootToken }) => rootStatus(rootToken),
      PUT({ rootToken }, given) {
        refusePgp(given, 'pgp_key');
        return rootStatus(rootToken, rootToken.init(words(given, 'otp')));
      },
      DELETE({ rootToken }) {
        rootToken.cancel();
        return undefined;
      },
    }),
    'sys/generate-root/update': path({
      PUT: async ({ rootToken }, given) => {
        const share = readShare(given);
        const nonce = words(given, 'nonce');
        const { required } = rootToken.status();
        return rootProgress(nonce, required, await rootToken.update(share, nonce));
      },
    }),
  };
}

/** @throws Fault `vault.request.invalid` where there is no recovery key */
export function withRecovery({ hasRecovery, recovery }: Ceremonies): Rekey {
  if (!hasRecovery) throw invalidRequest('recovery rekeying not supported');
  return recovery;
}

function answered(body: Body | undefined): StatusAnswer {
  return { status: body ? 200 : 204, body };
}

function rekeyInit(of: (at: Ceremonies) => Rekey): ByMethod {
  return {
    GET: (at) => rekeyStatus(of(at)),
    PUT(at, given) {
      refusePgp(given, 'pgp_keys');
      const count = { shares: whole(given, 'secret_shares'), threshold: whole(given, 'secret_threshold') };
      of(at).init(count, switched(given, 'require_verification'));
      return rekeyStatus(of(at));
    },
    DELETE(at) {
      of(at).cancel();
      return undefined;
    },
  };
}

async function updateRekey(rekey: Rekey, given: RawFields): Promise<Body> {
  const share = readShare(given);
  const nonce = words(given, 'nonce');
  const done = await rekey.update(share, nonce);
  return done ? rekeyDone(nonce, done) : rekeyStatus(rekey);
}

function rekeyVerify(of: (at: Ceremonies) => Rekey): ByMethod {
  return {
    GET: (at) => verificationStatus(of(at)),
    async PUT(at, given) {
      const done = await of(at).verify(readShare(given), words(given, 'nonce'));
      return done ? { nonce: done.nonce, complete: true } : verificationStatus(of(at));
    },
    DELETE(at) {
      of(at).restartVerification();
      return verificationStatus(of(at));
    },
  };
}
