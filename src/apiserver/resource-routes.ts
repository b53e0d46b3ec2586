import type { IncomingMessage } from 'node:http';
import type { Clock } from '../base/clock.ts';
import { admitReview } from './admission.ts';
import { type Answer, json, type StreamedAnswer, statusAnswer } from './answer.ts';
import { type ApiObject, objectKey } from './api-object.ts';
import type { Authorizer, UserInfo } from './authorization.ts';
import { callOptions } from './call-options.ts';
import { deleteObject, deleteSelected } from './deletion.ts';
import { listPage } from './list.ts';
import { selectionOf, type View } from './object-view.ts';
import { patchAnswer } from './patch-route.ts';
import type { Registry } from './registry.ts';
import { negotiate } from './representation.ts';
import type { RequestInfo, ResourceRequest } from './request-info.ts';
import {
  answerWritten,
  type Form,
  frameWriter,
  listAnswer,
  objectAnswer,
  written,
} from './resource-answers.ts';
import type { ResourceTypes } from './resource-type.ts';
import { answerReview, answerTokenRequest } from './reviews.ts';
import { scaleOf, withScale } from './scale.ts';
import { builtinKind } from './schema/kinds.ts';
import { badRequest, deletedStatus, methodNotAllowed, notFound, unknownPath } from './status-errors.ts';
import type { Tokens } from './tokens.ts';
import { watchAnswer } from './watch.ts';
import { decodeObject, deletionOptions, requestBody } from './write-request.ts';

export interface ResourceRoutesOptions {
  registry: Registry;
  types: ResourceTypes;
  tokens: Tokens;
  authorizer: Authorizer;
  /** The clients' own time, for watches' deadlines. */
  clientClock: Clock;
  signal: AbortSignal;
}

/** One request about objects, with all that answering it needs. */
export interface ResourceCall {
  info: RequestInfo;
  resource: ResourceRequest;
  view: View;
  form: Form;
  request: IncomingMessage;
  user: UserInfo;
  warnings: string[];
}

export type ResourceRoutes = (
  info: RequestInfo,
  resource: ResourceRequest,
  request: IncomingMessage,
  user: UserInfo,
  warnings: string[],
) => Promise<Answer | StreamedAnswer>;

/** Answers requests about objects of every kind. */
export function resourceRoutes(options: ResourceRoutesOptions): ResourceRoutes {
  const { registry, types } = options;
  return async (info, resource, request, user, warnings) => {
    const view = viewFor(types, resource);
    const { deprecation } = view.version;
    if (deprecation) warnings.push(deprecation);
    const whole = view.type.stored && (!resource.subresource || resource.subresource === 'status');
    const able = { table: whole, metadata: whole };
    const representation = negotiate(request.headers.accept, info.query, able);
    const form: Form = { view, representation, query: info.query, nowMs: registry.clock.now() };
    const call: ResourceCall = { info, resource, view, form, request, user, warnings };
    if (!view.type.stored) return review(options, call);
    if (resource.subresource) return subresource(options, call);
    switch (info.verb) {
      case 'get':
        return objectAnswer(form, registry.find(view, resource.namespace, resource.name!));
      case 'list':
        return list(options, call);
      case 'watch':
        return watch(options, call);
      case 'create':
        return create(options, call);
      case 'update':
        return update(options, call);
      case 'patch':
        return patchAnswer(options, call);
      case 'delete':
        return remove(options, call);
      case 'deletecollection':
        return removeAll(options, call);
      default:
        throw methodNotAllowed();
    }
  };
}

/** @throws StatusFault NotFound where no such resource, version or scope is served */
function viewFor(types: ResourceTypes, resource: ResourceRequest): View {
  const { group, plural, version: versionName, namespace, name } = resource;
  const type = types.find(group, plural);
  const version = type?.versions.get(versionName);
  if (!type || !version) throw unknownPath();
  if (!type.namespaced && namespace !== undefined) throw unknownPath();
  if (type.namespaced && namespace === undefined && name !== undefined) throw unknownPath();
  return { type, version };
}

function selection({ view, resource, info }: ResourceCall) {
  const selected = selectionOf(view, resource.namespace, info.query);
  if (resource.name === undefined) return selected;
  const { name } = resource;
  return {
    ...selected,
    matches: (object: Parameters<typeof selected.matches>[0]) =>
      object.name === name && selected.matches(object),
  };
}

async function list({ registry }: ResourceRoutesOptions, call: ResourceCall): Promise<Answer> {
  return listAnswer(call.form, await listPage(registry.objects, call.view, selection(call), call.info.query));
}

function watch(options: ResourceRoutesOptions, call: ResourceCall): Promise<StreamedAnswer> {
  const { registry, types, clientClock, signal } = options;
  const { form, view, info, warnings } = call;
  return watchAnswer({
    objects: registry.objects,
    view,
    selection: selection(call),
    query: info.query,
    representation: form.representation,
    writer: frameWriter(form, () => registry.clock.now()),
    clock: clientClock,
    entropy: registry.entropy,
    warnings,
    signal: view.type.custom ? AbortSignal.any([signal, types.retirement(view.type)]) : signal,
  });
}

async function submitted({ request, view }: ResourceCall) {
  return decodeObject(await requestBody(request), request.headers['content-type'], view.version.info);
}

async function create(routes: ResourceRoutesOptions, call: ResourceCall): Promise<Answer> {
  const { view, resource, form } = call;
  if (resource.name !== undefined) throw methodNotAllowed();
  const body = await submitted(call);
  if (view.type.namespaced && resource.namespace === undefined) {
    throw badRequest('an empty namespace may not be set during creation');
  }
  return answerWritten(
    form,
    await routes.registry.create(view, resource.namespace, body, callOptions(routes, call)),
  );
}

async function update(routes: ResourceRoutesOptions, call: ResourceCall): Promise<Answer> {
  const { view, resource, form } = call;
  if (resource.name === undefined) throw methodNotAllowed();
  const body = await submitted(call);
  return answerWritten(
    form,
    await routes.registry.replace(view, resource.namespace, resource.name, body, callOptions(routes, call)),
  );
}

async function remove({ registry }: ResourceRoutesOptions, call: ResourceCall): Promise<Answer> {
  const { view, resource, form, info, request } = call;
  const deletion = deletionOptions(info.query, await requestBody(request), request.headers['content-type']);
  const name = resource.name!;
  const { stored, complete } = await deleteObject(registry, view, resource.namespace, name, deletion);
  if (!complete) return objectAnswer(form, stored);
  return statusAnswer(deletedStatus(view.type, name, stored.uid));
}

async function removeAll({ registry }: ResourceRoutesOptions, call: ResourceCall): Promise<Answer> {
  const { view, form, info, request } = call;
  const deletion = deletionOptions(info.query, await requestBody(request), request.headers['content-type']);
  const objects = await deleteSelected(registry, view, selection(call), deletion);
  return listAnswer(form, { objects, revision: registry.objects.revision });
}

async function review({ tokens, authorizer }: ResourceRoutesOptions, call: ResourceCall): Promise<Answer> {
  const { view, resource, form, user, info } = call;
  if (info.verb !== 'create') throw methodNotAllowed();
  const object = admitReview(view.version.info, (await submitted(call)).object);
  const { group, plural } = view.type;
  const { namespace } = resource;
  const context = { user, tokens, authorizer, ...(namespace === undefined ? {} : { namespace }) };
  const answer = answerReview(`${group}/${plural}`, object, context);
  if (!answer) throw methodNotAllowed();
  return written(form, answer, 201);
}

async function subresource(routes: ResourceRoutesOptions, call: ResourceCall): Promise<Answer> {
  const { registry } = routes;
  const { view, resource, form, info } = call;
  const { subresource, namespace } = resource;
  const name = resource.name!;
  const known = (view.version.info.subresources as readonly string[]).includes(subresource!);
  const finalize = subresource === 'finalize' && view.type.plural === 'namespaces';
  if (!known && !finalize) throw unknownPath();
  if (subresource === 'token') return token(routes, call);
  if (subresource === 'scale') return scale(routes, call);
  switch (info.verb) {
    case 'get':
      return objectAnswer(form, registry.find(view, namespace, name));
    case 'update':
      return update(routes, call);
    case 'patch':
      return patchAnswer(routes, call);
    default:
      throw methodNotAllowed();
  }
}

async function token({ registry, tokens }: ResourceRoutesOptions, call: ResourceCall): Promise<Answer> {
  const { resource, form, request, info } = call;
  if (info.verb !== 'create') throw methodNotAllowed();
  const namespace = resource.namespace!;
  const name = resource.name!;
  const account = registry.objects
    .cache({ group: '', plural: 'serviceaccounts' })
    .get(objectKey(namespace, name));
  if (!account) throw notFound({ group: '', plural: 'serviceaccounts' }, name);
  const tokenRequest = builtinKind('authentication.k8s.io', 'v1', 'TokenRequest')!;
  const { object } = decodeObject(await requestBody(request), request.headers['content-type'], tokenRequest);
  const asked = admitReview(tokenRequest, object);
  const about = { namespace, name, uid: account.uid };
  return written(form, answerTokenRequest(asked, about, { tokens, objects: registry.objects }), 201);
}

async function scale(routes: ResourceRoutesOptions, call: ResourceCall): Promise<Answer> {
  const { registry } = routes;
  const { view, resource, info, form, request } = call;
  const name = resource.name!;
  if (info.verb === 'get') return json(scaleOf(view, registry.find(view, resource.namespace, name)));
  if (info.verb === 'patch') return patchAnswer(routes, call);
  if (info.verb !== 'update') throw methodNotAllowed();
  const expected = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
  const { object } = decodeObject(await requestBody(request), request.headers['content-type'], expected);
  const done = await registry.modify(
    view,
    resource.namespace,
    name,
    callOptions(routes, call),
    (live: ApiObject) => withScale(view, live, object),
  );
  return written(form, scaleOf(view, done.stored), 200);
}
