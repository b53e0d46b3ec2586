import type { IncomingMessage, ServerResponse } from 'node:http';
import { describeError } from '../base/fault.ts';
import type { Log } from '../base/log.ts';
import { type Answer, type StreamedAnswer, sendAnswer, statusAnswer } from './answer.ts';
import type { Authenticator } from './authentication.ts';
import { type Authorizer, attributesOf, refusal, type UserInfo } from './authorization.ts';
import { documentAnswer, isHealthPath } from './documents.ts';
import { actingUser } from './impersonation.ts';
import { type RequestInfo, requestInfo } from './request-info.ts';
import type { ResourceRoutes } from './resource-routes.ts';
import type { ResourceTypes } from './resource-type.ts';
import { badRequest, forbidden, forbiddenPath, statusOf, unauthorized } from './status-errors.ts';
import type { Tokens } from './tokens.ts';

export interface RoutesOptions {
  types: ResourceTypes;
  tokens: Tokens;
  authenticate: Authenticator;
  authorizer: Authorizer;
  resources: ResourceRoutes;
  /** `host:port` that clients reach the server by. */
  address: () => string;
  log: Log;
}

/** The whole HTTP interface: who asks, whether they may, what they ask for, and every error as a Status. */
export function requestListener(
  options: RoutesOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const warnings: string[] = [];
    response.on('error', () => {
      // The client has gone; there is nobody to tell.
    });
    void (async () => {
      let answer: Answer | StreamedAnswer;
      try {
        answer = await answerOf(options, request, warnings);
      } catch (error) {
        const status = statusOf(error);
        if (status.code >= 500) {
          options.log.error('a request failed', { method: request.method, error: describeError(error) });
        }
        answer = statusAnswer(status);
      }
      try {
        if ('stream' in answer) answer.stream(response);
        else sendAnswer(response, answer, warnings);
      } catch (error) {
        options.log.error('an answer could not be sent', { error: describeError(error) });
        response.destroy();
      }
    })();
  };
}

async function answerOf(
  options: RoutesOptions,
  request: IncomingMessage,
  warnings: string[],
): Promise<Answer | StreamedAnswer> {
  const { types, tokens, resources } = options;
  const info = requestInfo(request.method ?? 'GET', request.url ?? '/');
  if (!info) throw badRequest('the request path cannot be decoded');
  // Probes carry no credentials.
  if (!isHealthPath(info.path)) {
    const sender = options.authenticate(request);
    if (!sender) throw unauthorized();
    const user = actingUser(sender, request.headers, options.authorizer);
    authorize(options.authorizer, user, info);
    if (info.resource) return resources(info, info.resource, request, user, warnings);
  }
  return documentAnswer({ types, tokens, address: options.address() }, info, request);
}

function authorize(authorizer: Authorizer, user: UserInfo, info: RequestInfo): void {
  const attributes = attributesOf(info);
  const { allowed } = authorizer.authorize(user, attributes);
  if (allowed) return;
  const why = refusal(user, attributes);
  if (attributes.path !== undefined) throw forbiddenPath(why);
  const { group = '', plural = '' } = attributes;
  throw forbidden({ group, plural }, info.resource?.name ?? '', why);
}
