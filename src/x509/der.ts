/** DER, strictly: what every other file of this room reads and writes with. */
export {
  type BitString,
  type DerLimits,
  DerReader,
  defaultDerLimits,
  readDer,
  readEach,
  readInside,
  readWhole,
} from './der-reader.ts';
export { context, contextConstructed, tags } from './der-tag.ts';
export { DerWriter, unsignedContent, writeDer } from './der-writer.ts';
