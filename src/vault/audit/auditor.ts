import type { Clock } from '../../base/clock.ts';
import type { Entropy } from '../../base/entropy.ts';
import { describeError, Fault } from '../../base/fault.ts';
import type { Log } from '../../base/log.ts';
import { durationBounds, type Metrics } from '../../base/metrics.ts';
import type { Following } from '../../store/following.ts';
import type { Store } from '../../store/store.ts';
import { failed, invalidRequest } from '../faults.ts';
import { type AuditDevice, type DevicePlan, planDevice } from './device.ts';
import { auditLine, type EntryStyle, type Exchange } from './entry.ts';
import { hmacMask, type Mask } from './mask.ts';
import type { AuditSink, OpenSink } from './sink.ts';

/** A device that takes longer than this over a line counts as failed for it: none may hold up the server for ever. */
const stallLimitMs = 5_000;
/** What may wait for a device that does not keep up; beyond it lines fail at once. */
const backlogLimitBytes = 16 * 1_024 * 1_024;

const devicePrefix = 'audit/device/';
const headersKey = 'audit/headers';

/** Headers that are logged, by lower-case name. */
export type AuditedHeaders = ReadonlyMap<string, { hmac: boolean }>;

/**
 * Writes what is asked and what is answered to the audit devices, before it is done and before it is answered. With
 * no device there is nothing to do; with some, one at least must take each line, or the request fails.
 */
export interface Auditor {
  /** @throws Fault `vault.audit` where no device took the line */
  request(exchange: Exchange): Promise<void>;
  response(exchange: Exchange): Promise<void>;
  devices(): AuditDevice[];
  /** Takes effect once a line was written to it. @throws Fault `vault.request.invalid` */
  enable(device: Omit<AuditDevice, 'key'>): Promise<void>;
  disable(path: string): Promise<void>;
  /** What stands for `input` in the log of the device at `path`. @throws Fault `vault.request.invalid` */
  hash(path: string, input: string): string;
  headers(): AuditedHeaders;
  setHeader(name: string, setting: { hmac: boolean } | undefined): Promise<void>;
  /** Opens files anew that were moved away. */
  reopen(): Promise<void>;
  close(): void;
}

export interface AuditorOptions {
  store: Store;
  following: Following;
  clock: Clock;
  entropy: Entropy;
  log: Log;
  openSink: OpenSink;
  metrics: Metrics;
}

export async function openAuditor(options: AuditorOptions): Promise<Auditor> {
  const auditor = new DeviceAuditor(options);
  options.following.follow([devicePrefix, headersKey], () => auditor.load());
  await auditor.load();
  return auditor;
}

interface OpenDevice {
  device: AuditDevice;
  plan: DevicePlan;
  mask: Mask;
  sink: AuditSink;
  /** Bytes that it has been given and not yet taken. */
  backlog: number;
  /** Whether its last line failed: told once, not at every line. */
  failing: boolean;
}

class DeviceAuditor implements Auditor {
  readonly #options: AuditorOptions;
  readonly #open = new Map<string, OpenDevice>();
  #headers: AuditedHeaders = new Map();

  constructor(options: AuditorOptions) {
    this.#options = options;
  }

  /** Reads what there is; devices that stay keep their sinks. */
  async load(): Promise<void> {
    const { store } = this.#options;
    const entries = await store.list({ prefix: devicePrefix });
    const devices = entries.map(({ value }) => JSON.parse(value.toString()) as AuditDevice);
    for (const [path, { device, sink }] of this.#open) {
      if (devices.some(({ key }) => key === device.key)) continue;
      // One that was enabled since the listing is there, though not in it.
      const now = await store.get(devicePrefix + path);
      if (now && (JSON.parse(now.value.toString()) as AuditDevice).key === device.key) continue;
      this.#open.delete(path);
      await sink.close();
    }
    for (const device of devices) {
      if (!this.#open.has(device.path)) this.#open.set(device.path, this.#opened(device));
    }
    const headers = await store.get(headersKey);
    this.#headers = new Map(Object.entries(headers ? (JSON.parse(headers.value.toString()) as object) : {}));
  }

  request(exchange: Exchange): Promise<void> {
    return this.#tell('request', exchange);
  }

  response(exchange: Exchange): Promise<void> {
    return this.#tell('response', exchange);
  }

  devices(): AuditDevice[] {
    return [...this.#open.values()].map(({ device }) => device);
  }

  async enable(asked: Omit<AuditDevice, 'key'>): Promise<void> {
    const { store, entropy, clock } = this.#options;
    const taken = [...this.#open.keys()].find(
      (path) => path.startsWith(asked.path) || asked.path.startsWith(path),
    );
    if (taken !== undefined) throw invalidRequest('path already in use');
    const device: AuditDevice = { ...asked, key: entropy.bytes(32).toString('base64') };
    const opened = this.#opened(device);
    try {
      await this.#write(opened, auditLine('request', trial, this.#style(opened), clock.now()));
    } catch (error) {
      await opened.sink.close();
      throw invalidRequest(
        `failed to create audit backend ${asked.path}: sanity check failed: ${describeError(error)}`,
        error,
      );
    }
    const key = devicePrefix + device.path;
    await store.commit({
      expect: [{ key, revision: 0 }],
      puts: [{ key, value: Buffer.from(JSON.stringify(device)) }],
    });
    // It may have been seen in the store already.
    const seen = this.#open.get(device.path);
    this.#open.set(device.path, opened);
    await seen?.sink.close();
  }

  async disable(path: string): Promise<void> {
    const opened = this.#open.get(path);
    if (!opened) return;
    await this.#options.store.commit({ deletes: [devicePrefix + path] });
    this.#open.delete(path);
    await opened.sink.close();
  }

  hash(path: string, input: string): string {
    const opened = this.#open.get(path);
    if (!opened) throw invalidRequest(`unknown audit backend "${path}"`);
    return opened.mask(input);
  }

  headers(): AuditedHeaders {
    return this.#headers;
  }

  async setHeader(name: string, setting: { hmac: boolean } | undefined): Promise<void> {
    const changed = new Map(this.#headers);
    if (setting) changed.set(name.toLowerCase(), setting);
    else changed.delete(name.toLowerCase());
    const value = Buffer.from(JSON.stringify(Object.fromEntries(changed)));
    await this.#options.store.commit({ puts: [{ key: headersKey, value }] });
    this.#headers = changed;
  }

  async reopen(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ sink }) => sink.reopen()));
  }

  close(): void {
    for (const { sink, device } of this.#open.values()) {
      sink.close().catch((error: unknown) => this.#complain(device, error));
    }
    this.#open.clear();
  }

  #opened(device: AuditDevice): OpenDevice {
    const plan = planDevice(device.type, device.options);
    const mask = hmacMask(Buffer.from(device.key, 'base64'));
    return { device, plan, mask, sink: this.#options.openSink(plan.target), backlog: 0, failing: false };
  }

  /** Resolves as soon as one device has the line; the others go on, and may fail. */
  async #tell(type: 'request' | 'response', exchange: Exchange): Promise<void> {
    if (this.#open.size === 0) return;
    const { metrics } = this.#options;
    const start = metrics.ticks();
    const now = this.#options.clock.now();
    const writing = [...this.#open.values()].map(async (opened) => {
      try {
        await this.#write(opened, auditLine(type, exchange, this.#style(opened), now));
        if (opened.failing) this.#options.log.info('an audit device works again', told(opened.device));
        opened.failing = false;
      } catch (error) {
        if (!opened.failing) this.#complain(opened.device, error);
        opened.failing = true;
        throw error;
      }
    });
    try {
      await Promise.any(writing);
      metrics
        .histogram(`vault_audit_log_${type}`, 'Milliseconds until one device had a line.', durationBounds)
        .observe(metrics.ticks() - start);
    } catch (error) {
      metrics.counter(`vault_audit_log_${type}_failure`, 'Lines that no device took.').add();
      throw new Fault('no audit device could take the entry', {
        code: 'vault.audit',
        blame: 'operator',
        fix: 'make one of the audit devices writable again',
        cause: error,
      });
    }
  }

  async #write(opened: OpenDevice, text: string): Promise<void> {
    const line = `${text}\n`;
    if (opened.backlog > 0 && opened.backlog + line.length > backlogLimitBytes)
      throw failed('the device is too far behind');
    opened.backlog += line.length;
    const written = opened.sink.write(line).finally(() => {
      opened.backlog -= line.length;
    });
    const { promise: stalled, reject } = Promise.withResolvers<never>();
    const cancel = this.#options.clock.after(stallLimitMs, () => reject(failed('the device stalls')));
    await Promise.race([written, stalled]).finally(cancel);
  }

  #style({ plan, mask }: OpenDevice): EntryStyle {
    return {
      mask: plan.logRaw ? undefined : mask,
      maskAccessors: plan.maskAccessors,
      elideLists: plan.elideLists,
      headers: this.#headers,
    };
  }

  #complain(device: AuditDevice, error: unknown): void {
    this.#options.log.error('an audit device fails', { ...told(device), error: describeError(error) });
  }
}

const told = ({ path, type }: AuditDevice) => ({ path, type });

/** What a new device is tried with. */
const trial: Exchange = {
  request: {
    id: '',
    operation: 'update',
    path: 'sys/audit/test',
    data: {},
    token: undefined,
    origin: { method: 'PUT', headers: {}, remoteAddress: '', remotePort: 0, peerCertificates: [] },
  },
};
