import type { IncomingMessage } from 'node:http';
import { Fault } from '../base/fault.ts';
import { readBody } from '../wire/http-server.ts';
import type { ApiObject } from './api-object.ts';
import { decodeBody } from './decode/body.ts';
import type { DeletionOptions } from './deletion.ts';
import type { Submitted, WriteOptions } from './registry.ts';
import type { FieldErrorType } from './schema/field-error.ts';
import { badRequest, invalid, tooLarge } from './status-errors.ts';

/** As upstream: a body may be three mebibytes. */
const bodyLimitBytes = 3 * 2 ** 20;

/** @throws StatusFault RequestEntityTooLarge */
export async function requestBody(request: IncomingMessage): Promise<Buffer> {
  try {
    return await readBody(request, bodyLimitBytes);
  } catch (error) {
    if (error instanceof Fault && error.code === 'wire.body.large') throw tooLarge(bodyLimitBytes);
    throw error;
  }
}

export interface ExpectedKind {
  group: string;
  version: string;
  kind: string;
}

/**
 * The object in a body, which must be of the kind that its address takes.
 *
 * @throws StatusFault BadRequest; Fault apiserver.body.*
 */
export function decodeObject(
  bytes: Buffer,
  contentType: string | undefined,
  expected: ExpectedKind,
): Submitted {
  const { object, duplicateFields } = decodeBody(bytes, contentType, expected);
  const apiVersion = expected.group === '' ? expected.version : `${expected.group}/${expected.version}`;
  if (object['apiVersion'] !== apiVersion || object['kind'] !== expected.kind) {
    throw badRequest(wrongKind(object, apiVersion, expected));
  }
  return { object: object as ApiObject, duplicateFields };
}

function wrongKind(object: Record<string, unknown>, apiVersion: string, { kind }: ExpectedKind): string {
  const [group, version] = splitApiVersion(String(object['apiVersion']));
  const [wantedGroup, wantedVersion] = splitApiVersion(apiVersion);
  if (object['kind'] !== kind || group !== wantedGroup) {
    return `${String(object['kind'])} in version ${JSON.stringify(version)} cannot be handled as a ${kind}: no kind ${JSON.stringify(object['kind'])} is registered for version ${JSON.stringify(object['apiVersion'])}`;
  }
  return `the API version in the data (${group ? `${group}/` : ''}${version}) does not match the expected API version (${wantedGroup ? `${wantedGroup}/` : ''}${wantedVersion})`;
}

function splitApiVersion(apiVersion: string): [group: string, version: string] {
  const at = apiVersion.indexOf('/');
  return at < 0 ? ['', apiVersion] : [apiVersion.slice(0, at), apiVersion.slice(at + 1)];
}

/** The options of a create, update or patch as its query says them. */
export function writeOptions(
  query: URLSearchParams,
  request: IncomingMessage,
  warn: (message: string) => void,
  subresource?: string,
): WriteOptions {
  const validation = query.get('fieldValidation') || 'Warn';
  if (validation !== 'Ignore' && validation !== 'Warn' && validation !== 'Strict') {
    throw wrongOption(
      'fieldValidation',
      'FieldValueNotSupported',
      `Unsupported value: ${JSON.stringify(validation)}: supported values: "Ignore", "Strict", "Warn"`,
    );
  }
  return {
    manager: query.get('fieldManager') || managerOf(request.headers['user-agent']),
    dryRun: readDryRun(query.getAll('dryRun')),
    fieldValidation: validation,
    warn,
    ...(subresource === undefined ? {} : { subresource }),
  };
}

const longestManager = 128;

/** Who does not name itself is known by its user agent's first word. */
function managerOf(userAgent: string | undefined): string {
  return (userAgent ?? '').split('/')[0]!.slice(0, longestManager) || 'unknown';
}

export function readDryRun(values: readonly string[]): boolean {
  const wrong = values.find((value) => value !== 'All' && value !== '');
  if (wrong !== undefined) {
    throw wrongOption(
      'dryRun',
      'FieldValueNotSupported',
      `Unsupported value: ${JSON.stringify(wrong)}: supported values: "All"`,
    );
  }
  return values.includes('All');
}

export function wrongOption(field: string, type: FieldErrorType, message: string, kind = 'CreateOptions') {
  return invalid({ group: 'meta.k8s.io', kind, name: '' }, [{ field, type, message }]);
}

/** What a DELETE says, in its query and its body (metav1.DeleteOptions, which older clients send as plain v1). */
export function deletionOptions(
  query: URLSearchParams,
  bytes: Buffer,
  contentType: string | undefined,
): DeletionOptions {
  const body = bytes.length === 0 ? {} : decodeBody(bytes, contentType, deleteOptionsKind).object;
  const policy = (body['propagationPolicy'] ?? query.get('propagationPolicy') ?? undefined) as
    | string
    | undefined;
  if (policy !== undefined && policy !== 'Background' && policy !== 'Foreground' && policy !== 'Orphan') {
    throw wrongOption(
      'propagationPolicy',
      'FieldValueNotSupported',
      `Unsupported value: ${JSON.stringify(policy)}: supported values: "Background", "Foreground", "Orphan", "nil"`,
      'DeleteOptions',
    );
  }
  const orphan = body['orphanDependents'];
  const propagation = policy ?? (orphan === true ? 'Orphan' : orphan === false ? 'Background' : undefined);
  const preconditions = body['preconditions'] as DeletionOptions['preconditions'];
  return {
    dryRun: readDryRun([...((body['dryRun'] as string[] | undefined) ?? []), ...query.getAll('dryRun')]),
    ...(propagation === undefined ? {} : { propagation }),
    ...(preconditions ? { preconditions } : {}),
  };
}

const deleteOptionsKind: ExpectedKind = { group: '', version: 'v1', kind: 'DeleteOptions' };
