import type { Operation } from '../policy/access-list.ts';
import { type FieldTable, type FieldValues, readFields } from './fields.ts';
import { type Answer, type Given, type Handler, pathPattern, type Route } from './route.ts';

interface RouteOptions<Context, Fields extends FieldTable> {
  fields: Fields;
  open?: boolean;
  sudo?: boolean;
  head?: boolean;
  dataAtTop?: boolean;
  /** Takes any parameters, which its handlers find in `data`. */
  free?: true;
  /** Whether what an update is for is there already: if not, it takes the capability `create`. */
  exists?: (context: Context, given: Given) => Promise<boolean>;
  on: Partial<Record<Operation, TypedHandler<Context, Fields>>>;
}

/** A handler as a room writes it: parameters already read as what the route says they are. */
export type TypedHandler<Context, Fields extends FieldTable> = (
  context: Context,
  given: Given & { fields: FieldValues<Fields> },
) => Promise<Answer | undefined> | Answer | undefined;

/** For routes whose handlers read no parameters. */
export const noFields = {} as const satisfies FieldTable;

/** One row of an engine's table of routes. `path` is as `pathPattern` reads it. */
export function defineRoute<Context, Fields extends FieldTable>(
  path: string,
  options: RouteOptions<Context, Fields>,
): Route<Context> {
  const { fields, open = false, sudo = false, head = false, dataAtTop = false, free, exists, on } = options;
  const handlers = Object.entries(on).map(([operation, act]) => {
    const handler: Handler<Context> = async (context, given) =>
      act(context, { fields: readFields(fields, given.data), ...given });
    return [operation, handler];
  });
  const listed = on.list !== undefined;
  return {
    path,
    pattern: pathPattern(path, listed),
    // Lists take these everywhere; those that do not page answer whole.
    fields,
    parameters: new Set([...Object.keys(fields), ...(listed ? ['after', 'limit'] : [])]),
    open,
    sudo,
    head,
    dataAtTop,
    ...(free ? { free } : {}),
    ...(exists ? { exists } : {}),
    handlers: Object.fromEntries(handlers) as Route<Context>['handlers'],
  };
}
