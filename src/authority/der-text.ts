import { context, contextConstructed, tags, writeDer } from '../x509/der.ts';
import type { Extension } from '../x509/extension.ts';
import { oids } from '../x509/oid.ts';

/** An ASN.1 UTF8String. */
export function encodeUtf8String(text: string): Buffer {
  return writeDer((writer) => writer.primitive(tags.utf8String, Buffer.from(text)));
}

/** Critical name constraints that permit these DNS names and what is below them (RFC 5280 section 4.2.1.10). */
export function permittedDnsDomains(domains: readonly string[]): Extension {
  const value = writeDer((writer) =>
    writer.sequence(() =>
      writer.wrap(contextConstructed(0), () => {
        for (const domain of domains) {
          writer.sequence(() => writer.primitive(context(2), Buffer.from(domain, 'latin1')));
        }
      }),
    ),
  );
  return { oid: oids.nameConstraints, critical: true, value };
}
