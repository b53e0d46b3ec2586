import { isTrue } from './request-info.ts';
import { notAcceptable } from './status-errors.ts';

/** In what form an answer is wanted: told from the Accept header. */
export interface Representation {
  media: 'json' | 'yaml';
  as: 'object' | 'Table' | 'PartialObjectMetadata';
  /** The version of meta.k8s.io that Tables and metadata are written in. */
  metaVersion: 'v1' | 'v1beta1';
  pretty: boolean;
}

interface MediaRange {
  type: string;
  parameters: Map<string, string>;
  quality: number;
}

const accepted = ['application/json', 'application/yaml'];

/** The media ranges of an Accept header, most wanted first; all of equal quality keep their order. */
export function mediaRanges(accept: string | undefined): MediaRange[] {
  return (accept ?? '*/*')
    .split(',')
    .map((range) => {
      const [type, ...rest] = range.split(';').map((part) => part.trim());
      const parameters = new Map(
        rest.map((part) => {
          const at = part.indexOf('=');
          return at < 0 ? ([part, ''] as const) : ([part.slice(0, at), part.slice(at + 1)] as const);
        }),
      );
      return { type: type!.toLowerCase(), parameters, quality: Number(parameters.get('q') ?? 1) };
    })
    .filter(({ type, quality }) => type !== '' && quality > 0)
    .sort((a, b) => b.quality - a.quality);
}

/**
 * The first form in `accept` that this server can write. Protobuf is passed over: every client that asks for it
 * also names JSON.
 *
 * @throws StatusFault NotAcceptable
 */
export function negotiate(
  accept: string | undefined,
  query: URLSearchParams,
  able: { table: boolean; metadata: boolean },
): Representation {
  for (const { type, parameters } of mediaRanges(accept)) {
    const media = mediaOf(type);
    if (!media) continue;
    const as = parameters.get('as');
    const version = parameters.get('v') ?? 'v1';
    const pretty = query.has('pretty') && isTrue(query.get('pretty'));
    if (as === undefined) return { media, as: 'object', metaVersion: 'v1', pretty };
    if (parameters.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) continue;
    if (as === 'Table' && able.table && media === 'json') return { media, as, metaVersion: version, pretty };
    if ((as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList') && able.metadata) {
      return { media, as: 'PartialObjectMetadata', metaVersion: version, pretty };
    }
  }
  throw notAcceptable(accepted);
}

function mediaOf(type: string): 'json' | 'yaml' | undefined {
  if (type === 'application/json' || type === '*/*' || type === 'application/*') return 'json';
  return type === 'application/yaml' ? 'yaml' : undefined;
}
