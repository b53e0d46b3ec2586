import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type Answer, json } from './answer.ts';
import { servedGroups } from './discovery.ts';
import type { ResourceTypes } from './resource-type.ts';
import { unknownPath } from './status-errors.ts';

export async function openApiAnswer(
  _types: ResourceTypes,
  _parts: readonly string[],
  _query: URLSearchParams,
  _request: IncomingMessage,
): Promise<Answer> {
  void createHash;
  void json;
  void servedGroups;
  throw unknownPath();
}
