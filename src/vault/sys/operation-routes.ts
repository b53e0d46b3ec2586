import { invalidRequest, unsupportedPath } from '../faults.ts';
import { formatInstant } from '../instant.ts';
import type { Mounts } from '../mount/mounts.ts';
import { type DescribedMount, openApiDocument } from '../routing/api-description.ts';
import { defineRoute, noFields } from '../routing/define-route.ts';
import type { Answer, Caller, Route } from '../routing/route.ts';
import { vaultVersion } from '../version.ts';
import { isShown } from './mount-routes.ts';
import type { SysContext } from './sys-context.ts';

/** As long as a request may take. */
const longestProfileSeconds = 60;

/** What operators and their scrapers read. */
export const operationRoutes: readonly Route<SysContext>[] = [
  defineRoute('metrics', {
    fields: { format: 'text' },
    on: {
      read: ({ metrics }, { fields: { format = 'prometheus' } }): Answer => {
        if (format !== 'prometheus') {
          throw invalidRequest(`metric format ${JSON.stringify(format)} is not supported; use prometheus`);
        }
        const contentType = 'text/plain; version=0.0.4; charset=utf-8';
        return { raw: { contentType, body: Buffer.from(metrics.text()) } };
      },
    },
  }),
  defineRoute('in-flight-req', {
    fields: noFields,
    on: {
      read: ({ inFlight }) => ({
        data: Object.fromEntries(
          inFlight().map(({ request: { id, path, origin }, startedMs }) => [
            id,
            {
              start_time: formatInstant(startedMs),
              client_remote_address: `${origin.remoteAddress}:${origin.remotePort}`,
              request_path: `/v1/${path}`,
              request_method: origin.method,
            },
          ]),
        ),
      }),
    },
  }),
  defineRoute('host-info', {
    fields: noFields,
    on: {
      read: ({ diagnostics, clock }): Answer => {
        if (!diagnostics) throw unsupportedPath();
        return { data: { timestamp: formatInstant(clock.now()), ...diagnostics.host() } };
      },
    },
  }),
  defineRoute('pprof/profile', {
    fields: { seconds: 'integer' },
    sudo: true,
    on: {
      read: async ({ diagnostics }, { fields: { seconds = 30 } }): Promise<Answer> => {
        if (!diagnostics) throw unsupportedPath();
        if (seconds < 1 || seconds > longestProfileSeconds)
          throw invalidRequest(`seconds must be between 1 and ${longestProfileSeconds}`);
        const body = await diagnostics.profile(seconds * 1_000);
        return { raw: { contentType: 'application/json', body } };
      },
    },
  }),
  defineRoute('internal/specs/openapi', {
    fields: noFields,
    open: true,
    on: {
      read: ({ mounts }, { caller }): Answer => {
        const document = openApiDocument(describedMounts(mounts(), caller), vaultVersion);
        const body = Buffer.from(`${JSON.stringify(document)}\n`);
        return { raw: { contentType: 'application/json', body } };
      },
    },
  }),
];

/** Those that the caller may know of. */
function describedMounts(mounts: Mounts, caller: Caller): DescribedMount[] {
  return (['secret', 'auth'] as const)
    .flatMap((kind) => mounts.all(kind))
    .filter((mount) => isShown(mount, caller))
    .map(({ path, type }) => ({ path, type, routes: mounts.match(path)!.mounted.engine.routes }));
}
