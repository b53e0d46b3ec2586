import type { Authorizer } from './authorization.ts';
import { refuseEscalation } from './escalation.ts';
import type { Registry, WriteOptions } from './registry.ts';
import type { ResourceCall } from './resource-routes.ts';
import { writeOptions } from './write-request.ts';

/** What the routes that write have in common. */
export interface WritingRoutes {
  registry: Registry;
  authorizer: Authorizer;
}

/** How the write that `call` asks for is to be done. */
export function callOptions({ registry, authorizer }: WritingRoutes, call: ResourceCall): WriteOptions {
  const { info, request, resource, user, view, warnings } = call;
  const warn = (message: string) => void warnings.push(message);
  return {
    ...writeOptions(info.query, request, warn, resource.subresource),
    approve: (next) => refuseEscalation(view, next, { user, authorizer, objects: registry.objects }),
  };
}
