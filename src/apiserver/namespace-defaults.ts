import type { Log } from '../base/log.ts';
import type { ApiObject } from './api-object.ts';
import { parseObject, sameValue } from './api-object.ts';
import type { View } from './object-view.ts';
import type { Registry, WriteOptions } from './registry.ts';
import type { ResourceTypes } from './resource-type.ts';
import { StatusFault } from './status-errors.ts';

const namespaces = { group: '', plural: 'namespaces' };
const serviceAccounts = { group: '', plural: 'serviceaccounts' };
const configMaps = { group: '', plural: 'configmaps' };
const rootCertificate = 'kube-root-ca.crt';
const permanent = ['default', 'kube-system', 'kube-public', 'kube-node-lease'];

const asServer: WriteOptions = {
  manager: 'kube-controller-manager',
  dryRun: false,
  fieldValidation: 'Strict',
  warn: () => {},
};

/**
 * Gives every namespace what workloads count on: the account `default` and the ConfigMap kube-root-ca.crt with the
 * cluster's CA; both come back when deleted.
 */
export class NamespaceDefaults {
  readonly #registry: Registry;
  readonly #types: ResourceTypes;
  readonly #certificateAuthority: string;
  readonly #log: Log;

  constructor(options: { registry: Registry; types: ResourceTypes; certificateAuthority: string; log: Log }) {
    this.#registry = options.registry;
    this.#types = options.types;
    this.#certificateAuthority = options.certificateAuthority;
    this.#log = options.log;
  }

  /** Resolves once the permanent namespaces are complete. */
  async start(): Promise<() => void> {
    const { objects } = this.#registry;
    for (const name of permanent) {
      await this.#createMissing(namespaces, undefined, {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name },
      });
    }
    const stop = objects.subscribe(({ group, plural }, { type, object }) => {
      if (group !== '') return;
      if (plural === 'namespaces' && type === 'ADDED') void this.#complete(object.name);
      if (plural === 'serviceaccounts' && type === 'DELETED' && object.name === 'default') {
        void this.#complete(object.namespace);
      }
      if (plural === 'configmaps' && type !== 'ADDED' && object.name === rootCertificate) {
        void this.#complete(object.namespace);
      }
    });
    await Promise.all(
      objects
        .cache(namespaces)
        .list('')
        .map(({ name }) => this.#complete(name)),
    );
    return stop;
  }

  async #complete(namespace: string): Promise<void> {
    const found = this.#registry.objects.cache(namespaces).get(namespace);
    if (!found || found.deleting) return;
    try {
      await this.#createMissing(serviceAccounts, namespace, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: 'default' },
      });
      await this.#publishCertificate(namespace);
    } catch (error) {
      // A namespace that is going is refused new content, and that is as it should be.
      if (this.#registry.objects.cache(namespaces).get(namespace)?.deleting !== false) return;
      this.#log.warn('a namespace could not be completed', { namespace, error: String(error) });
    }
  }

  async #publishCertificate(namespace: string): Promise<void> {
    const data = { 'ca.crt': this.#certificateAuthority };
    const stored = this.#registry.objects.cache(configMaps).get(`${namespace}/${rootCertificate}`);
    if (!stored) {
      await this.#createMissing(configMaps, namespace, {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          name: rootCertificate,
          annotations: {
            'kubernetes.io/description':
              'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
          },
        },
        data,
      });
    } else if (!sameValue(parseObject(stored)['data'], data)) {
      await this.#registry.modify(this.#view(configMaps), namespace, rootCertificate, asServer, (live) => ({
        ...live,
        data,
      }));
    }
  }

  async #createMissing(
    name: { group: string; plural: string },
    namespace: string | undefined,
    object: ApiObject,
  ): Promise<void> {
    const key = namespace === undefined ? object.metadata.name : `${namespace}/${object.metadata.name}`;
    if (this.#registry.objects.cache(name).get(key)) return;
    try {
      await this.#registry.create(this.#view(name), namespace, { object, duplicateFields: [] }, asServer);
    } catch (error) {
      if (error instanceof StatusFault && error.status.reason === 'AlreadyExists') return;
      throw error;
    }
  }

  #view({ group, plural }: { group: string; plural: string }): View {
    const type = this.#types.find(group, plural)!;
    return { type, version: type.versions.get('v1')! };
  }
}
