import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, sleep } from '../base/clock.ts';
import type { KubeClient } from '../kube/kube-client.ts';
import { type ConfigMap, configMaps, resourcePath, serviceAccounts } from '../kube/resource.ts';

export interface ProjectionOptions {
  kube: KubeClient;
  clock: Clock;
  /** Where the files go; made, readable by the owner alone. */
  folder: string;
  namespace: string;
  serviceAccount: string;
  audience: string;
  /** ConfigMap whose key is kept as a file beside the token. */
  trustAnchors: { name: string; namespace: string; key: string };
  signal: AbortSignal;
  onError: (error: unknown) => void;
}

export interface ProjectedFiles {
  token: string;
  trustAnchors: string;
}

const tokenSeconds = 86_400;
/** The kubelet asks for the next token when 80 % of one's life has passed. */
const refreshAtShare = 0.8;
const retryAfterMs = 5_000;

/**
 * What the kubelet does for a pod: keeps a service-account token for one audience and the mesh's trust anchors as
 * files, each replaced in one rename, the token well before it ends, the anchors when their ConfigMap changes.
 */
export async function projectVolume(options: ProjectionOptions): Promise<ProjectedFiles> {
  const { folder, clock, signal, onError } = options;
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const files = { token: join(folder, 'token'), trustAnchors: join(folder, 'ca-bundle.crt') };
  const version = await writeAnchors(options, files.trustAnchors);
  await writeToken(options, files.token);
  void keep(options, async () => {
    await sleep(clock, tokenSeconds * 1_000 * refreshAtShare, signal);
    if (!signal.aborted) await writeToken(options, files.token);
  });
  let seen = version;
  void keep(options, async () => {
    seen = await followAnchors(options, files.trustAnchors, seen);
  });
  return files;

  async function keep({ signal }: ProjectionOptions, turn: () => Promise<void>): Promise<void> {
    while (!signal.aborted) {
      try {
        await turn();
      } catch (error) {
        if (signal.aborted) return;
        onError(error);
        await sleep(clock, retryAfterMs, signal);
      }
    }
  }
}

async function writeToken(
  { kube, namespace, serviceAccount, audience }: ProjectionOptions,
  path: string,
): Promise<void> {
  const at = resourcePath(serviceAccounts, { namespace, name: serviceAccount, subresource: 'token' });
  const { status } = await kube.ask<{ status: { token: string } }>(at, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    spec: { audiences: [audience], expirationSeconds: tokenSeconds },
  });
  replaceFile(path, status.token);
}

async function writeAnchors({ kube, trustAnchors }: ProjectionOptions, path: string): Promise<string> {
  const { items, resourceVersion } = await kube.list<ConfigMap>(configMaps, {
    namespace: trustAnchors.namespace,
    fieldSelector: `metadata.name=${trustAnchors.name}`,
  });
  const bundle = items[0]?.data?.[trustAnchors.key];
  if (bundle !== undefined) replaceFile(path, bundle);
  return resourceVersion;
}

/** Writes each new content until the watch ends; answers where the next one starts. */
async function followAnchors(options: ProjectionOptions, path: string, from: string): Promise<string> {
  const { kube, trustAnchors, signal } = options;
  const one = { namespace: trustAnchors.namespace, fieldSelector: `metadata.name=${trustAnchors.name}` };
  try {
    let last = from;
    for await (const event of kube.watch<ConfigMap>(configMaps, { ...one, resourceVersion: from, signal })) {
      last = event.object.metadata.resourceVersion ?? last;
      const bundle = event.type === 'BOOKMARK' ? undefined : event.object.data?.[trustAnchors.key];
      if (bundle !== undefined && event.type !== 'DELETED') replaceFile(path, bundle);
    }
    return last;
  } catch (error) {
    // The history may be gone, or the server: look again at what is there now.
    if (signal.aborted) return from;
    options.onError(error);
    await sleep(options.clock, retryAfterMs, signal);
    return await writeAnchors(options, path);
  }
}

function replaceFile(path: string, content: string): void {
  writeFileSync(`${path}.next`, content, { mode: 0o600 });
  renameSync(`${path}.next`, path);
}
