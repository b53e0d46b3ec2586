import { Fault } from '../../base/fault.ts';
import { apiVersionOf } from '../schema/kinds.ts';
import { inspectJson, nestingLimit } from './json.ts';
import { decodeProtobuf, type Expected } from './protobuf.ts';
import { parseYaml } from './yaml.ts';

export interface DecodedBody {
  object: Record<string, unknown>;
  /** Paths of members that stood twice in one object; the later value is in `object`. */
  duplicateFields: string[];
}

const mediaTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

/**
 * The object in a request's body: JSON, YAML, or Kubernetes' protobuf. Where the body leaves out apiVersion and kind,
 * the expected ones are filled in. Whole numbers beyond 2^53 lose their last digits, as in any JavaScript number.
 *
 * @param contentType JSON where absent
 * @throws Fault `apiserver.body.media-type` (status 415) for any other form, `apiserver.body.json`,
 *   `apiserver.body.yaml`, `apiserver.body.protobuf` (400) where it is not what it says, `apiserver.body.object` (400)
 *   where it holds no object; messages are in upstream's words
 */
export function decodeBody(bytes: Buffer, contentType: string | undefined, expected: Expected): DecodedBody {
  const mediaType = mediaTypeOf(contentType);
  if (mediaType === 'application/vnd.kubernetes.protobuf') {
    return { object: decodeProtobuf(bytes, expected), duplicateFields: [] };
  }
  const text = bytes.toString('utf8');
  const isYaml = mediaType === 'application/yaml' && !isJson(text);
  const { value, duplicateFields } = isYaml ? readYaml(text, expected) : readJson(text, expected);
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw refused('apiserver.body.object', expected, 'it must hold an object');
  }
  const object = value as Record<string, unknown>;
  return { object: { ...object, ...named(object, expected) }, duplicateFields };
}

/** The HTTP status that belongs to a fault of decodeBody. */
export function bodyFaultStatus(fault: Fault): 400 | 415 {
  return fault.code === 'apiserver.body.media-type' ? 415 : 400;
}

/** The media type that decodes `contentType`; parameters such as a charset are of no account. */
export function mediaTypeOf(contentType: string | undefined): string {
  const mediaType = contentType?.split(';')[0]!.trim().toLowerCase() || mediaTypes[0]!;
  if (mediaTypes.includes(mediaType)) return mediaType;
  throw new Fault(
    `the body of the request was in an unknown format - accepted media types include: ${mediaTypes.join(', ')}`,
    { code: 'apiserver.body.media-type', blame: 'caller' },
  );
}

function readJson(text: string, expected: Expected): { value: unknown; duplicateFields: string[] } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw refused(
      'apiserver.body.json',
      expected,
      `couldn't get version/kind; json parse error: ${says(error)}`,
    );
  }
  const { duplicateFields, tooDeep } = inspectJson(text);
  if (tooDeep) throw refused('apiserver.body.json', expected, `it nests more than ${nestingLimit} levels`);
  return { value, duplicateFields };
}

/** Most clients send JSON where YAML is asked for (kubectl's applies do), and the parser for that is far faster. */
function isJson(text: string): boolean {
  if (!/^\s*\{/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function readYaml(text: string, expected: Expected): { value: unknown; duplicateFields: string[] } {
  try {
    return parseYaml(text);
  } catch (error) {
    throw refused('apiserver.body.yaml', expected, `error converting YAML to JSON: ${says(error)}`);
  }
}

function says(error: unknown): string {
  return error instanceof Error ? error.message.split('\n')[0]! : String(error);
}

function refused(code: string, { kind }: Expected, why: string): Fault {
  return new Fault(`the object provided is unrecognized (must be of type ${kind}): ${why}`, {
    code,
    blame: 'caller',
  });
}

/** What typed decoding fills in for a body that names neither version nor kind. */
function named(object: Record<string, unknown>, expected: Expected): Record<string, unknown> {
  return {
    ...(object['apiVersion'] ? {} : { apiVersion: apiVersionOf(expected) }),
    ...(object['kind'] ? {} : { kind: expected.kind }),
  };
}
