import { invalidRequest } from '../faults.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Answer, RequestOrigin, Route } from '../routing/route.ts';
import type { SysContext } from '../sys/sys-context.ts';

/** For a server that can be sealed; at the paths of Vault's own storage, whatever the storage here. */
export const snapshotRoutes: readonly Route<SysContext>[] = [
  defineRoute('storage/raft/snapshot', {
    fields: noFields,
    on: {
      read({ seal }): Answer {
        const stream = seal!.snapshots.save();
        return { raw: { contentType: 'application/gzip', body: Buffer.alloc(0), status: 200, stream } };
      },
      update: (context, { origin }) => restore(context, origin, false),
    },
  }),
  defineRoute('storage/raft/snapshot-force', {
    fields: noFields,
    on: { update: (context, { origin }) => restore(context, origin, true) },
  }),
];

async function restore({ seal }: SysContext, { body }: RequestOrigin, force: boolean): Promise<undefined> {
  if (!body) throw invalidRequest('a snapshot is sent as the body of a POST or PUT');
  await seal!.snapshots.restore(body, { force });
}

/** Whether a request's body is a snapshot, of any size, and to be read by whoever answers. */
export function takesSnapshot(method: string, path: string): boolean {
  return (method === 'POST' || method === 'PUT') && /^sys\/storage\/raft\/snapshot(-force)?$/.test(path);
}
