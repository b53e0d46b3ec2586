import { Fault } from '../../base/fault.ts';
import { type HttpClient, httpClient } from '../../wire/http-client.ts';
import { certificatePem } from '../../x509/certificate.ts';
import { type CertificateList, readCrl } from '../../x509/crl.ts';
import { decodePem } from '../../x509/pem.ts';
import { readInputBytes } from '../certificate/input.ts';
import { readRoots } from '../certificate/roots.ts';
import type { CommandContext } from '../command.ts';

export const isUrl = (text: string) => /^https?:\/\//i.test(text);

/** How servers are reached. */
export interface Access {
  /** Files of the roots that vouch for them; the machine's where undefined. */
  roots: string | undefined;
  insecure: boolean;
}

/** A list from a file, stdin, or an address. @throws Fault `cli.crl.*`, `x509.*`, `wire.request.*` */
export async function readList(
  source: string | undefined,
  access: Access,
  context: CommandContext,
): Promise<CertificateList> {
  const { bytes, from } =
    source !== undefined && isUrl(source)
      ? { bytes: await download(source, access, context), from: source }
      : await readInputBytes(source, context);
  if (bytes.length === 0) throw crlFault('empty', `${from} is empty`);
  try {
    return readCrl(derOf(bytes, from));
  } catch (error) {
    if (!(error instanceof Fault) || error.code.startsWith('cli.')) throw error;
    throw new Fault(`error parsing ${from}: ${error.message}`, { code: error.code, blame: error.blame });
  }
}

function derOf(bytes: Buffer, from: string): Buffer {
  if (!bytes.includes('-----BEGIN ')) return bytes;
  const blocks = decodePem(bytes.toString('utf8'));
  const list = blocks.find(({ label }) => label === 'X509 CRL');
  if (list) return list.bytes;
  const found = [...new Set(blocks.map(({ label }) => label))].join(', ');
  throw crlFault('absent', `${from} holds no revocation list${found && `, only ${found}`}`);
}

async function download(url: string, access: Access, context: CommandContext): Promise<Buffer> {
  const client = await clientFor(access, context);
  try {
    const { status, body } = await client.send({ method: 'GET', url, signal: context.signal });
    if (status === 200) return body;
    throw new Fault(`error downloading crl: status code ${status}`, {
      code: 'cli.crl.status',
      blame: 'peer',
    });
  } finally {
    client.close();
  }
}

/** A client that trusts the servers that `access` says; whoever takes it closes it. */
export async function clientFor({ roots, insecure }: Access, { cwd }: CommandContext): Promise<HttpClient> {
  const ca = roots === undefined ? undefined : (await readRoots(roots, cwd)).map(certificatePem);
  return httpClient({ insecure, ...(ca ? { ca: ca.join('') } : {}) });
}

export function crlFault(kind: string, message: string): Fault {
  return new Fault(message, { code: `cli.crl.${kind}`, blame: 'caller' });
}
