import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { createGunzip, createGzip } from 'node:zlib';
import { Fault } from '../../base/fault.ts';
import type { Entry } from '../../store/store.ts';
import { notAnArchive, readTar, type TarFile, tarEnd, tarFile } from './tar.ts';

/** A key and its value, which is encrypted. */
export type Row = Pick<Entry, 'key' | 'value'>;

/** What vouches for a snapshot: only who has the keys of the barrier can make the seal, or knows one. */
export interface SumSeal {
  seal(sums: Buffer): Buffer;
  /** Whether `seal` was made of `sums` with these keys. */
  matches(sums: Buffer, seal: Buffer): boolean;
}

const format = 'capstan.snapshot';
const version = 1;
const metaName = 'meta.json';
const sumsName = 'SHA256SUMS';
/** The last file: clients of Vault take a snapshot without it for broken off. */
const sealName = 'SHA256SUMS.sealed';
const partBytes = 1_024 * 1_024;

/**
 * A snapshot as a gzipped tar, in the manner of Vault's: what it is (`meta.json`), the entries in parts
 * (`state/00000001.bin` ...), the parts' checksums, and the checksums sealed.
 */
export function writeArchive(
  pages: AsyncIterable<readonly Row[]>,
  { nowMs, seal }: { nowMs: number; seal: SumSeal },
): AsyncIterable<Buffer> {
  // Ciphertext does not shrink: the least effort is as good as any.
  const zipped = createGzip({ level: 1 });
  const source = Readable.from(archive(pages, nowMs, seal), { objectMode: false });
  source.on('error', (error) => zipped.destroy(error));
  // Whoever stops half-way lets go of the store, too.
  zipped.once('close', () => source.destroy());
  return source.pipe(zipped);
}

async function* archive(
  pages: AsyncIterable<readonly Row[]>,
  nowMs: number,
  seal: SumSeal,
): AsyncGenerator<Buffer> {
  const sums: string[] = [];
  const summed = (file: TarFile): Buffer => {
    sums.push(sumLine(file));
    return tarFile(file, nowMs);
  };
  yield summed({ name: metaName, body: Buffer.from(JSON.stringify({ format, version, createdMs: nowMs })) });
  let count = 0;
  for await (const body of parts(pages)) {
    count += 1;
    yield summed({ name: `state/${String(count).padStart(8, '0')}.bin`, body });
  }
  const body = Buffer.from(sums.join(''));
  yield tarFile({ name: sumsName, body }, nowMs);
  yield tarFile({ name: sealName, body: seal.seal(body) }, nowMs);
  yield tarEnd();
}

function sumLine({ name, body }: TarFile): string {
  return `${createHash('sha256').update(body).digest('hex')}  ${name}\n`;
}

async function* parts(pages: AsyncIterable<readonly Row[]>): AsyncGenerator<Buffer> {
  let rows: Buffer[] = [];
  let bytes = 0;
  for await (const page of pages) {
    for (const row of page) {
      const written = writeRow(row);
      rows.push(written);
      bytes += written.length;
      if (bytes < partBytes) continue;
      yield Buffer.concat(rows);
      rows = [];
      bytes = 0;
    }
  }
  if (bytes > 0) yield Buffer.concat(rows);
}

/** Each of key and value behind its length in bytes, 32 bits. */
function writeRow({ key, value }: Row): Buffer {
  const name = Buffer.from(key);
  const row = Buffer.alloc(8 + name.length + value.length);
  const at = row.writeUInt32BE(name.length);
  name.copy(row, at);
  value.copy(row, row.writeUInt32BE(value.length, at + name.length));
  return row;
}

/**
 * The entries of a snapshot. It throws, at the end at the latest, unless all of it was there and as it was written:
 * believe nothing of it before. Without `seal` the checksums alone vouch for it.
 *
 * @throws Fault `vault.snapshot` for what is no whole snapshot, `vault.snapshot.keys` for one of other keys
 */
export async function* readArchive(
  chunks: AsyncIterable<Buffer>,
  seal: SumSeal | undefined,
): AsyncGenerator<Row[]> {
  let sums = '';
  let told: Buffer | undefined;
  let sealed: Buffer | undefined;
  for await (const file of readTar(unzip(chunks))) {
    if (sealed) throw notAnArchive(`${file.name} comes after its end`);
    if (file.name === sumsName) told = file.body;
    else if (file.name === sealName) sealed = file.body;
    else {
      if (told) throw notAnArchive(`${file.name} is in no list of checksums`);
      if (sums === '') checkMeta(file);
      else yield readRows(file.body);
      sums += sumLine(file);
    }
  }
  if (!told || !sealed?.length) throw notAnArchive(`${told ? sealName : sumsName} is missing`);
  if (told.toString() !== sums) throw notAnArchive('a checksum does not agree');
  if (seal && !seal.matches(told, sealed)) throw otherKeys();
}

function otherKeys(): Fault {
  return new Fault(
    'could not verify hash file, possibly the snapshot is using a different set of unseal keys; use the ' +
      'snapshot-force API to bypass this check',
    { code: 'vault.snapshot.keys', blame: 'caller' },
  );
}

/** Whether all of a snapshot, ours or Vault's, is there: its last file is. @throws Fault `vault.snapshot` */
export async function checkWhole(chunks: AsyncIterable<Buffer>): Promise<void> {
  for await (const { name, body } of readTar(unzip(chunks), (file) => file === sealName)) {
    if (name === sealName && body.length > 0) return;
  }
  throw notAnArchive(`incomplete snapshot, unable to read ${sealName} file`);
}

async function* unzip(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const unzipped = createGunzip();
  const source = Readable.from(chunks, { objectMode: false });
  source.on('error', (error) => unzipped.destroy(error));
  try {
    for await (const chunk of source.pipe(unzipped)) yield chunk as Buffer;
  } catch (error) {
    if (error instanceof Fault) throw error;
    throw notAnArchive('it cannot be unpacked', error);
  } finally {
    source.destroy();
  }
}

function checkMeta({ name, body }: TarFile): void {
  let meta: { format?: unknown; version?: unknown } = {};
  try {
    if (name === metaName) meta = JSON.parse(body.toString()) as typeof meta;
  } catch (error) {
    throw notAnArchive(`${metaName} cannot be read`, error);
  }
  if (meta.format !== format) throw notAnArchive('it was not made by Capstan');
  if (meta.version !== version) throw notAnArchive('it was made by a newer Capstan');
}

function readRows(body: Buffer): Row[] {
  const rows: Row[] = [];
  for (let at = 0; at < body.length; ) {
    const key = textAt(body, at);
    const value = textAt(body, at + 4 + key.length);
    rows.push({ key: key.toString(), value });
    at += 8 + key.length + value.length;
  }
  return rows;
}

function textAt(body: Buffer, at: number): Buffer {
  const end = at + 4 > body.length ? Infinity : at + 4 + body.readUInt32BE(at);
  if (end > body.length) throw notAnArchive('an entry is cut off');
  return body.subarray(at + 4, end);
}
