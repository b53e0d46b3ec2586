import { Fault } from '../base/fault.ts';

export interface PemBlock {
  /** What stands between BEGIN and the dashes: CERTIFICATE, PRIVATE KEY, … */
  label: string;
  bytes: Buffer;
}

/** Longest text that is looked through, in characters: a bundle of all public roots is a fiftieth of it. */
const longestText = 16 * 2 ** 20;

const boundary = /^-----(BEGIN|END) ([A-Za-z0-9][A-Za-z0-9 #.]{0,63})-----[ \t]*$/;

/**
 * Every block of `text`, in order (RFC 7468, strict on what is inside: base64 of the right length and no other
 * bits, no header lines). Text between blocks is ignored, as is common in bundles.
 *
 * @throws Fault `x509.pem.malformed` naming the line, `x509.pem.size` for more than 16 MiB.
 */
export function decodePem(text: string): PemBlock[] {
  if (text.length > longestText) {
    throw new Fault(`PEM of ${text.length} characters; ${longestText} at most`, {
      code: 'x509.pem.size',
      blame: 'caller',
    });
  }
  const blocks: PemBlock[] = [];
  let open: { label: string; line: number; body: string[] } | undefined;
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    const [, kind, label] = line.startsWith('-----') ? (boundary.exec(line) ?? []) : [];
    if (kind === 'BEGIN') {
      if (open) throw pemFault(open.line, `BEGIN ${open.label} without its END`);
      open = { label: label!, line: index + 1, body: [] };
    } else if (kind === 'END' && open) {
      if (label !== open.label) throw pemFault(index + 1, `END ${label} closes BEGIN ${open.label}`);
      blocks.push({ label: open.label, bytes: decodeBody(open.body.join(''), open.line) });
      open = undefined;
    } else if (open) {
      if (line.includes(':') && isEncrypted(open.label)) throw encryptedFault(open.label);
      open.body.push(line.trim());
    }
  }
  if (open) throw pemFault(open.line, `BEGIN ${open.label} without its END`);
  return blocks;
}

function decodeBody(body: string, line: number): Buffer {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(body) || body.length % 4 !== 0) throw pemFault(line, 'not base64');
  const bytes = Buffer.from(body, 'base64');
  // Unused bits of the last character that are set would give one document several texts.
  const lastGroup = bytes.subarray(3 * Math.floor((bytes.length - 1) / 3));
  if (lastGroup.toString('base64') !== body.slice(-4)) {
    throw pemFault(line, 'not base64 in its one proper form');
  }
  return bytes;
}

/** Old OpenSSL keys say in a header line that they are encrypted (RFC 1421). */
function isEncrypted(label: string): boolean {
  return label.endsWith('PRIVATE KEY');
}

function encryptedFault(label: string): Fault {
  return new Fault(`the ${label} is encrypted`, {
    code: 'x509.key.encrypted',
    blame: 'caller',
    fix: 'decrypt it first, such as with openssl pkey',
  });
}

function pemFault(line: number, message: string): Fault {
  return new Fault(`PEM block at line ${line}: ${message}`, { code: 'x509.pem.malformed', blame: 'caller' });
}

/** `bytes` as one block: lines of 64 characters, ending in a newline. */
export function encodePem(label: string, bytes: Uint8Array): string {
  const base64 = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
  let text = `-----BEGIN ${label}-----\n`;
  for (let at = 0; at < base64.length; at += 64) text += `${base64.slice(at, at + 64)}\n`;
  return `${text}-----END ${label}-----\n`;
}
