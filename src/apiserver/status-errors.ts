import { type Blame, Fault } from '../base/fault.ts';
import { bodyFaultStatus } from './decode/body.ts';
import { patchFaultStatus } from './patch/patch-fault.ts';
import type { FieldError } from './schema/field-error.ts';

/** What is wrong with one field, as `details.causes` of a Status lists it. */
export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  /** A resource's plural for most reasons, the kind for `Invalid`: upstream's own inconsistency. */
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

/** metav1.Status: how the API answers with an error, or with the success of a deletion. */
export interface Status {
  kind: 'Status';
  apiVersion: 'v1';
  metadata: { continue?: string };
  status: 'Success' | 'Failure';
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

/** A fault that already knows its Status: reason and HTTP code as k8s.io/apimachinery/pkg/api/errors sets them. */
export class StatusFault extends Fault {
  readonly status: Status;

  constructor(code: string, status: Omit<Status, 'kind' | 'apiVersion' | 'metadata' | 'status'>) {
    super(status.message ?? '', { code: `apiserver.${code}`, blame: blameOf(status.code) });
    this.status = { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', ...status };
  }
}

function blameOf(httpCode: number): Blame {
  return httpCode >= 500 ? 'capstan' : 'caller';
}

/** What an error is about: `secrets`, or `certificates.cert-manager.io`. */
export interface GroupResource {
  group: string;
  plural: string;
}

export function qualifiedResource({ group, plural }: GroupResource): string {
  return group === '' ? plural : `${plural}.${group}`;
}

function detailsOf({ group, plural }: GroupResource, name?: string): StatusDetails {
  return { ...(name ? { name } : {}), ...(group === '' ? {} : { group }), kind: plural };
}

export function notFound(resource: GroupResource, name: string): StatusFault {
  const message = `${qualifiedResource(resource)} ${JSON.stringify(name)} not found`;
  return new StatusFault('not_found', {
    message,
    reason: 'NotFound',
    details: detailsOf(resource, name),
    code: 404,
  });
}

/** A path that names nothing served. */
export function unknownPath(): StatusFault {
  return new StatusFault('path', {
    message: 'the server could not find the requested resource',
    reason: 'NotFound',
    details: {},
    code: 404,
  });
}

export function alreadyExists(resource: GroupResource, name: string): StatusFault {
  const message = `${qualifiedResource(resource)} ${JSON.stringify(name)} already exists`;
  return new StatusFault('exists', {
    message,
    reason: 'AlreadyExists',
    details: detailsOf(resource, name),
    code: 409,
  });
}

const modified =
  'the object has been modified; please apply your changes to the latest version and try again';

export function conflict(resource: GroupResource, name: string, why = modified): StatusFault {
  const message = `Operation cannot be fulfilled on ${qualifiedResource(resource)} ${JSON.stringify(name)}: ${why}`;
  return new StatusFault('conflict', {
    message,
    reason: 'Conflict',
    details: detailsOf(resource, name),
    code: 409,
  });
}

/** Server-side apply met fields of other managers. `causes` name each field. */
export function applyConflict(message: string, causes: StatusCause[]): StatusFault {
  return new StatusFault('apply_conflict', { message, reason: 'Conflict', details: { causes }, code: 409 });
}

export function invalid(
  about: { group: string; kind: string; name: string },
  fields: readonly FieldError[],
): StatusFault {
  const texts = [...new Set(fields.map(({ field, message }) => `${field}: ${message}`))];
  const subject = about.group === '' ? about.kind : `${about.kind}.${about.group}`;
  const all = texts.length === 1 ? texts[0] : `[${texts.join(', ')}]`;
  return new StatusFault('invalid', {
    message: `${subject} ${JSON.stringify(about.name)} is invalid: ${all}`,
    reason: 'Invalid',
    details: {
      ...(about.name ? { name: about.name } : {}),
      ...(about.group ? { group: about.group } : {}),
      kind: about.kind,
      causes: fields.map(({ field, type, message }) => ({ reason: type, message, field })),
    },
    code: 422,
  });
}

export function badRequest(message: string): StatusFault {
  return new StatusFault('bad_request', { message, reason: 'BadRequest', code: 400 });
}

export function unauthorized(): StatusFault {
  return new StatusFault('unauthorized', { message: 'Unauthorized', reason: 'Unauthorized', code: 401 });
}

export function forbidden(
  resource: GroupResource,
  name: string,
  why: string,
  causes?: StatusCause[],
): StatusFault {
  const subject = qualifiedResource(resource) + (name ? ` ${JSON.stringify(name)}` : '');
  return new StatusFault('forbidden', {
    message: `${subject} is forbidden: ${why}`,
    reason: 'Forbidden',
    details: { ...detailsOf(resource, name), ...(causes ? { causes } : {}) },
    code: 403,
  });
}

export function forbiddenPath(why: string): StatusFault {
  return new StatusFault('forbidden', {
    message: `forbidden: ${why}`,
    reason: 'Forbidden',
    details: {},
    code: 403,
  });
}

export function methodNotAllowed(
  message = 'the server does not allow this method on the requested resource',
): StatusFault {
  return new StatusFault('method', {
    message,
    reason: 'MethodNotAllowed',
    details: {},
    code: 405,
  });
}

export function notAcceptable(accepted: readonly string[]): StatusFault {
  return new StatusFault('not_acceptable', {
    message: `only the following media types are accepted: ${accepted.join(', ')}`,
    reason: 'NotAcceptable',
    code: 406,
  });
}

export function unsupportedMediaType(accepted: readonly string[]): StatusFault {
  return new StatusFault('media_type', {
    message: `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
    reason: 'UnsupportedMediaType',
    code: 415,
  });
}

export function tooLarge(limitBytes: number): StatusFault {
  return new StatusFault('too_large', {
    message: `Request entity too large: limit is ${limitBytes}`,
    reason: 'RequestEntityTooLarge',
    code: 413,
  });
}

export function expired(message: string, continueToken?: string): StatusFault {
  const fault = new StatusFault('expired', { message, reason: 'Expired', code: 410 });
  if (continueToken !== undefined) fault.status.metadata.continue = continueToken;
  return fault;
}

/** A client asks for a resource version that does not exist yet: it may try again. */
export function resourceVersionTooLarge(wanted: number, current: number): StatusFault {
  return new StatusFault('future', {
    message: `Timeout: Too large resource version: ${wanted}, current: ${current}`,
    reason: 'Timeout',
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
    code: 504,
  });
}

export function unavailable(message: string): StatusFault {
  return new StatusFault('unavailable', {
    message,
    reason: 'ServiceUnavailable',
    details: { retryAfterSeconds: 1 },
    code: 503,
  });
}

/** Anything thrown, as the Status the client sees. What is not a fault of the API's own is an internal error. */
export function statusOf(error: unknown): Status {
  if (error instanceof StatusFault) return error.status;
  if (error instanceof Fault) {
    if (error.code === 'store.conflict') {
      return new StatusFault('conflict', { message: modified, reason: 'Conflict', code: 409 }).status;
    }
    if (error.code === 'store.value' || error.code === 'store.key') {
      return new StatusFault('too_large', {
        message: error.message,
        reason: 'RequestEntityTooLarge',
        code: 413,
      }).status;
    }
    if (error.code === 'store.unavailable') return unavailable(error.message).status;
    if (/^apiserver\.(body|patch|apply)\./.test(error.code)) {
      return bodyStatus(error);
    }
  }
  const message = error instanceof Error ? error.message : String(error);
  return new StatusFault('internal', {
    message: `Internal error occurred: ${message}`,
    reason: 'InternalError',
    details: { causes: [{ message }] },
    code: 500,
  }).status;
}

function bodyStatus(fault: Fault): Status {
  const code = patchFaultStatus(fault) ?? bodyFaultStatus(fault);
  return new StatusFault('body', { message: fault.message, reason: reasons[code] ?? 'BadRequest', code })
    .status;
}

const reasons: Readonly<Record<number, string>> = {
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
};

/** The answer to a deletion that is complete. */
export function deletedStatus(resource: GroupResource, name: string, uid: string): Status {
  const { name: _name, ...details } = detailsOf(resource, name);
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...details, uid },
    code: 200,
  };
}
