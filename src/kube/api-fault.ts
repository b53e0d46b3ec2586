import { type Blame, Fault } from '../base/fault.ts';

/** What a Kubernetes API server answers in place of an object when it refuses (metav1.Status). */
export interface ApiStatus {
  kind: 'Status';
  code?: number;
  reason?: string;
  message?: string;
}

/** Reasons of answers that carry none: load balancers and the server's own path handler send plain text. */
const reasonOfStatus: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  406: 'NotAcceptable',
  409: 'Conflict',
  410: 'Expired',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
  504: 'Timeout',
};

/** The Fault `kube.<reason>` of a refusal, its message the server's own. */
export function apiFault(request: string, httpStatus: number, body: unknown): Fault {
  const status = isStatus(body) ? body : undefined;
  const code = status?.code ?? httpStatus;
  // A 410 says Expired or Gone depending on who noticed; to a client both mean "list again".
  const reason = code === 410 ? 'Expired' : status?.reason || reasonOfStatus[code] || 'Unknown';
  return new Fault(status?.message || `${request}: the API server answered ${code} ${kebab(reason)}`, {
    code: `kube.${kebab(reason)}`,
    blame: blameOf(code),
  });
}

export function isStatus(body: unknown): body is ApiStatus {
  return typeof body === 'object' && body !== null && (body as { kind?: unknown }).kind === 'Status';
}

/** Whether `error` is the API server's refusal for `reason`, in kebab case. */
export function refusedFor(error: unknown, reason: string): error is Fault {
  return error instanceof Fault && error.code === `kube.${reason}`;
}

function blameOf(code: number): Blame {
  if (code === 401 || code === 403) return 'operator';
  return code >= 500 || code === 429 ? 'peer' : 'caller';
}

function kebab(reason: string): string {
  return reason.replaceAll(/(?<=[a-z0-9])(?=[A-Z])/g, '-').toLowerCase();
}
