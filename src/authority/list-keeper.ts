import { createHash } from 'node:crypto';
import { Fault } from '../base/fault.ts';
import type { Batch, Entry } from '../store/store.ts';
import { frameCrl } from '../x509/crl.ts';
import { keyIdentifier } from '../x509/key.ts';
import {
  type ListedEntry,
  listedEntry,
  readSegment,
  segmentDer,
  segmentSize,
  segmentsOf,
  writeSegment,
} from './crl-segments.ts';
import type { Holdings } from './holdings.ts';
import type { Ledger } from './ledger.ts';
import {
  isStale,
  type ListCircumstances,
  type ListRecord,
  noList,
  type SegmentRecord,
  type SignedList,
  splitList,
} from './list-record.ts';
import { type ListSigner, listId, listSigner } from './list-signer.ts';
import { oneAtATime } from './one-at-a-time.ts';
import { revocationSigner } from './revocation-algorithm.ts';
import { revocationKeysBelow } from './revocation-keys.ts';
import { type RevocationSettings, revocationSettings } from './revocation-settings.ts';
import { readRevoked } from './revoked.ts';
import { urlsOf } from './signing-issuer.ts';
import { claimUnclaimed } from './unclaimed.ts';

export interface Crl {
  der: Buffer;
  number: bigint;
  /** Epoch milliseconds, whole seconds; later than that of any list of the issuer before it. */
  modifiedAt: number;
}

/** How many revocations one step takes up: a batch that any store writes in a moment. */
const takenAtOnce = 5_000;
/** More conflicts than this in a row mean that something else is wrong. */
const attemptLimit = 20;

interface Making extends ListCircumstances {
  from: Holdings;
  settings: RevocationSettings;
  signer: ListSigner;
  held: { revision: number; record: ListRecord };
}

/** What an earlier version kept of an issuer's list, as far as it matters. */
interface Former {
  number: number;
}

interface Written {
  record: SegmentRecord;
  value: Buffer;
}

/** The lists that certificates of one name and key are revoked on: a complete one, and deltas on it. */
export class ListKeeper {
  readonly #ledger: Ledger;
  readonly #id: string;
  readonly #at: ReturnType<typeof revocationKeysBelow>;
  #held: Making['held'] = { revision: 0, record: noList };
  /** The lists that were served last, by their ends, where the signature is: the complete one and its delta. */
  #lists = new Map<string, Crl>();
  /** Entries by the name of their segment: views of the complete list. */
  #pieces = new Map<string, Buffer>();
  #lookedForDeltaAt = -Infinity;

  constructor(ledger: Ledger, id: string) {
    this.#ledger = ledger;
    this.#id = id;
    this.#at = revocationKeysBelow(ledger.options.prefix);
  }

  readonly complete = oneAtATime(() => this.#complete(false));
  readonly renew = oneAtATime(() => this.#complete(true));
  readonly delta = oneAtATime(() => this.#delta(false));
  readonly renewDelta = oneAtATime(() => this.#delta(true));

  #complete(anew: boolean): Promise<Crl | undefined> {
    let wanted = anew;
    return this.#insist(async () => {
      const making = await this.#look();
      if (!('signer' in making)) return making.record.complete && this.#served(making.record.complete);
      const { settings, held } = making;
      const { complete } = held.record;
      const due = wanted || isStale(complete, making);
      // It may be due because its issuer has come back.
      if (due) await claimUnclaimed(this.#ledger);
      const idle = settings.disable || (settings.autoRebuild && !due);
      const waiting = idle ? [] : await this.#waiting(takenAtOnce);
      if (complete && !due && waiting.length === 0) return this.#served(complete);
      const made = await this.#makeComplete(making, waiting, due);
      // What is left over is to be taken up even where rebuilding is automatic.
      wanted = due;
      return waiting.length < takenAtOnce ? made : more;
    });
  }

  #delta(anew: boolean): Promise<Crl | undefined> {
    return this.#insist(async () => {
      await this.complete();
      const making = await this.#look();
      if (!('signer' in making)) return making.record.delta && this.#served(making.record.delta);
      const { held, settings, now } = making;
      const { complete, delta } = held.record;
      if (!complete) return more;
      const stale = anew || delta?.base !== complete.number || isStale(delta, making);
      const lookedAt = Math.max(delta?.thisUpdate ?? 0, this.#lookedForDeltaAt);
      if (!stale && now < lookedAt + settings.deltaRebuildInterval.ms) return this.#served(delta);
      const waiting = settings.enableDelta && !settings.disable ? await this.#waiting() : [];
      this.#lookedForDeltaAt = now;
      if (!stale && waiting.length === countOf(delta.segments)) return this.#served(delta);
      return this.#makeDelta(making, waiting, complete.number);
    });
  }

  /** Again where another node was faster, or where there is more to do. */
  async #insist<T>(act: () => Promise<T | typeof more>): Promise<T> {
    for (let conflicts = 0; ; ) {
      try {
        const result = await act();
        if (result !== more) return result;
      } catch (error) {
        if (!(error instanceof Fault) || error.code !== 'store.conflict') throw error;
        if (++conflicts === attemptLimit) throw error;
        await this.#ledger.options.following?.fresh();
        await this.#ledger.reload();
      }
    }
  }

  /** Everything that a list is decided on, but for what waits; only what there is, where nobody may sign. */
  async #look(): Promise<Making | { record: ListRecord }> {
    const { clock } = this.#ledger.options;
    const from = this.#ledger.holdings();
    const held = await this.#read(from);
    const signer = listSigner(from, this.#id, 'crl-signing');
    if (!signer) return held;
    const settings = revocationSettings(from);
    const now = Math.floor(clock.now() / 1_000) * 1_000;
    const grace = settings.autoRebuildGracePeriod.ms;
    // Without automatic rebuilding nothing holds the two times against each other.
    const graceMs = settings.autoRebuild ? grace : Math.min(grace, settings.expiry.ms / 2);
    return { from, settings, signer, held, now, graceMs, basis: basisOf(from, signer, settings) };
  }

  async #read(from: Holdings): Promise<Making['held']> {
    const entry = await this.#ledger.options.store.get(this.#at.list(this.#id));
    if (!entry) return { revision: 0, record: { ...noList, number: await this.#formerNumber(from) } };
    if (entry.revision === this.#held.revision) return this.#held;
    const record = JSON.parse(entry.value.toString()) as ListRecord;
    // Made elsewhere, or restored from a backup: what is in memory under the same names may be another's.
    if (record.complete && !this.#lists.has(record.complete.tail)) this.#pieces.clear();
    this.#held = { revision: entry.revision, record };
    return this.#held;
  }

  /** The last number by which an earlier version told of the issuers of this list, which it kept one by one. */
  async #formerNumber({ issuers }: Holdings): Promise<string> {
    const { options, at } = this.#ledger;
    const own = issuers.filter(({ certificate }) => listId(certificate) === this.#id);
    const entries = await Promise.all(own.map(({ id }) => options.store.get(at.crl(id))));
    const numbers = entries.map((entry) =>
      entry ? (JSON.parse(entry.value.toString()) as Former).number : 0,
    );
    return String(Math.max(0, ...numbers));
  }

  async #waiting(limit = Infinity): Promise<Entry[]> {
    const prefix = this.#at.waiting(this.#id);
    const found: Entry[] = [];
    for (;;) {
      const after = found.at(-1)?.key;
      const page = await this.#ledger.options.store.list({
        prefix,
        ...(after === undefined ? {} : { after }),
        limit: takenAtOnce,
      });
      found.push(...page);
      if (page.length < takenAtOnce || found.length >= limit) return found;
    }
  }

  /**
   * The next complete list, with what waits on it. Segments that are full and in which nothing is over stay as they
   * are. An entry leaves once a list that was due anyway has told of it beyond its certificate's end (RFC 5280
   * section 3.3): a list's lifetime later, and when another is due.
   */
  async #makeComplete(making: Making, waiting: readonly Entry[], due: boolean): Promise<Crl> {
    const { held, settings, now } = making;
    const { record } = held;
    const keptFrom = due ? now - settings.expiry.ms : -Infinity;
    const isLoose = ({ count, firstEnd }: SegmentRecord) =>
      firstEnd < keptFrom || (waiting.length > 0 && count < segmentSize);
    const loose = record.segments.filter(isLoose);
    const survivors = (await Promise.all(loose.map(({ name }) => this.#segment(name))))
      .flatMap(readSegment)
      .filter(({ notAfter }) => notAfter >= keptFrom);
    const number = nextNumber(record);
    const written = write(number, [...survivors, ...waiting.map((entry) => this.#entryOf(entry))]);
    const kept = record.segments.filter((segment) => !isLoose(segment));
    const told = settings.disable ? { kept: [], written: [] } : { kept, written };
    const { crl, list, pieces } = await this.#sign(making, number, told);
    const segments = [...kept, ...written.map((one) => one.record)];
    await this.#commit(making, { number, modifiedAt: crl.modifiedAt, segments, complete: list }, written, [
      ...[...loose, ...(record.delta?.segments ?? [])].map(({ name }) => this.#at.segment(this.#id, name)),
      ...waiting.map(({ key }) => key),
    ]);
    this.#remember(crl, list, pieces);
    return crl;
  }

  async #makeDelta(making: Making, waiting: readonly Entry[], base: string): Promise<Crl> {
    const { record } = making.held;
    const number = nextNumber(record);
    const written = write(
      number,
      waiting.map((entry) => this.#entryOf(entry)),
    );
    const { crl, list } = await this.#sign(making, number, { kept: [], written }, BigInt(base));
    const before = (record.delta?.segments ?? []).map(({ name }) => this.#at.segment(this.#id, name));
    const next = { ...record, number, modifiedAt: crl.modifiedAt, delta: { ...list, base } };
    await this.#commit(making, next, written, before);
    this.#lists.set(list.tail, crl);
    return crl;
  }

  async #sign(
    { from, signer, settings, now, basis, held }: Making,
    number: string,
    { kept, written }: { kept: readonly SegmentRecord[]; written: readonly Written[] },
    deltaOf?: bigint,
  ): Promise<{ crl: Crl; list: SignedList; pieces: Buffer[] }> {
    const { certificate } = signer.issuer;
    const pieces = [
      ...(await Promise.all(kept.map(({ name }) => this.#piece(name)))),
      ...written.map(({ value }) => segmentDer(value)),
    ];
    const nextUpdate = now + settings.expiry.ms;
    const frame = {
      issuer: certificate.subject,
      number: BigInt(number),
      thisUpdate: now,
      nextUpdate,
      authorityKeyId: certificate.subjectKeyId ?? keyIdentifier(certificate.publicKey),
      ...(deltaOf === undefined ? { freshest: freshestOf(from, signer) } : { deltaOf }),
    };
    const framed = await frameCrl(frame, pieces, revocationSigner(signer.issuer, signer.key.privateKey));
    const modifiedAt = Math.max(now, held.record.modifiedAt + 1_000);
    const segments = [...kept, ...written.map(({ record }) => record)];
    return {
      crl: { der: framed.der, number: frame.number, modifiedAt },
      list: { number, thisUpdate: now, nextUpdate, modifiedAt, basis, ...splitList(framed), segments },
      pieces,
    };
  }

  async #commit(
    { from, signer, held }: Making,
    record: ListRecord,
    written: readonly Written[],
    deletes: readonly string[],
  ): Promise<void> {
    const { options, at } = this.#ledger;
    const key = this.#at.list(this.#id);
    const batch: Batch = {
      expect: [
        options.guard(),
        { key, revision: held.revision },
        { key: at.issuer(signer.issuer.id), revision: signer.issuer.revision },
        this.#ledger.settingsAsIn(from),
      ],
      puts: [
        { key, value: Buffer.from(JSON.stringify(record)) },
        ...written.map(({ record: { name }, value }) => ({ key: this.#at.segment(this.#id, name), value })),
      ],
      deletes,
    };
    this.#held = { revision: await options.store.commit(batch), record };
  }

  #entryOf({ key, value }: Entry): ListedEntry {
    const serial = key.slice(this.#at.waiting(this.#id).length);
    return listedEntry({ serial, ...readRevoked(value) });
  }

  /** A list as it was signed, put together again where it is not in memory. */
  async #served(list: SignedList): Promise<Crl> {
    const known = this.#lists.get(list.tail);
    if (known) return known;
    const pieces = await Promise.all(list.segments.map(({ name }) => this.#piece(name)));
    const der = Buffer.concat([
      Buffer.from(list.head, 'base64'),
      ...pieces,
      Buffer.from(list.tail, 'base64'),
    ]);
    const crl = { der, number: BigInt(list.number), modifiedAt: list.modifiedAt };
    if (list.tail === this.#held.record.complete?.tail) this.#remember(crl, list, pieces);
    else this.#lists.set(list.tail, crl);
    return crl;
  }

  async #piece(name: string): Promise<Buffer> {
    return this.#pieces.get(name) ?? segmentDer(await this.#segment(name));
  }

  async #segment(name: string): Promise<Buffer> {
    const entry = await this.#ledger.options.store.get(this.#at.segment(this.#id, name));
    if (entry) return entry.value;
    throw new Fault(`segment ${name} of a revocation list has been replaced`, {
      code: 'store.conflict',
      blame: 'capstan',
      fix: 'read the list again',
    });
  }

  /** Keeps a complete list, and its segments as views of it, in place of the one before. */
  #remember(crl: Crl, { head, tail, segments }: SignedList, pieces: readonly Buffer[]): void {
    const delta = this.#held.record.delta?.tail;
    const kept = [...this.#lists].filter(([of]) => of === delta);
    this.#lists = new Map([...kept, [tail, crl]]);
    let at = Buffer.byteLength(head, 'base64');
    this.#pieces = new Map(
      segments.map(({ name }, index) => {
        const start = at;
        at += pieces[index]!.length;
        return [name, crl.der.subarray(start, at)];
      }),
    );
  }
}

/** Said where a step is done and another is to follow. */
const more = Symbol('more');

function nextNumber({ number }: ListRecord): string {
  return String(BigInt(number) + 1n);
}

function countOf(segments: readonly SegmentRecord[]): number {
  return segments.reduce((sum, { count }) => sum + count, 0);
}

function write(number: string, entries: readonly ListedEntry[]): Written[] {
  return segmentsOf(entries).map((part, index) => ({
    record: {
      name: `${number}-${index}`,
      count: part.length,
      firstEnd: part.reduce((first, { notAfter }) => Math.min(first, notAfter), Infinity),
    },
    value: writeSegment(part),
  }));
}

function basisOf(from: Holdings, signer: ListSigner, { expiry, disable }: RevocationSettings): string {
  const { id, keyId, revocationAlgorithm } = signer.issuer;
  const parts = [id, keyId, revocationAlgorithm, freshestOf(from, signer), expiry.ms, disable];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 32);
}

function freshestOf(from: Holdings, { issuer }: ListSigner): readonly string[] {
  try {
    return urlsOf(from, issuer).deltaCrlDistributionPoints;
  } catch (error) {
    // A template that lacks its cluster's address is no reason to leave revocations untold.
    if (error instanceof Fault && error.code === 'authority.urls') return [];
    throw error;
  }
}
