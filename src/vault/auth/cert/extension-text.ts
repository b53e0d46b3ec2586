import { Fault } from '../../../base/fault.ts';
import type { Certificate } from '../../../x509/certificate.ts';
import { readDer } from '../../../x509/der.ts';
import { decodeText } from '../../../x509/text.ts';

/** The text that an extension holds; empty for one that holds something else, undefined where there is none. */
export function extensionText({ extensions }: Certificate, oid: string): string | undefined {
  const extension = extensions.find((each) => each.oid === oid);
  if (!extension) return undefined;
  try {
    return readDer(extension.value, (reader) => {
      const tag = reader.nextTag ?? 0;
      return decodeText(tag, reader.content(tag)) ?? '';
    });
  } catch (error) {
    if (error instanceof Fault) return '';
    throw error;
  }
}

/** All of its contents in lower-case hex. */
export function extensionHex({ extensions }: Certificate, oid: string): string | undefined {
  return extensions.find((each) => each.oid === oid)?.value.toString('hex');
}
