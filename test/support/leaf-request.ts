import { seededEntropy } from '../../src/base/entropy.ts';
import { type Extension, subjectAltName } from '../../src/x509/extension.ts';
import type { GeneralName } from '../../src/x509/general-name.ts';
import { generateKey, type KeySpec, type PrivateKey } from '../../src/x509/key.ts';
import { type NameParts, nameOf } from '../../src/x509/name.ts';
import { buildRequest, requestPem } from '../../src/x509/request.ts';
import { signerOf } from '../../src/x509/signature.ts';

const keys = new Map<string, PrivateKey>();

/** One key of each kind is enough for all requests. */
export function requestKey(spec: KeySpec): PrivateKey {
  const kind = JSON.stringify(spec);
  const key = keys.get(kind) ?? generateKey(spec, seededEntropy(kind));
  keys.set(kind, key);
  return key;
}

export interface Asked {
  spec?: KeySpec;
  subject?: NameParts;
  names?: readonly GeneralName[];
  extensions?: readonly Extension[];
}

/** A request for signing in PEM, by default for `a.example.com` and a P-256 key. */
export async function leafRequest({
  spec = { type: 'ec', curve: 'P-256' },
  subject = { commonName: 'a.example.com' },
  names = [],
  extensions = [],
}: Asked = {}): Promise<string> {
  const all = [...(names.length > 0 ? [subjectAltName(names)] : []), ...extensions];
  return requestPem(
    await buildRequest({ subject: nameOf(subject), extensions: all }, signerOf(requestKey(spec))),
  );
}
