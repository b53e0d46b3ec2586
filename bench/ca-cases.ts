import { systemEntropy } from '../src/base/entropy.ts';
import { subjectAltName } from '../src/x509/extension.ts';
import { generateKey } from '../src/x509/key.ts';
import { nameOf } from '../src/x509/name.ts';
import { buildRequest, requestPem } from '../src/x509/request.ts';
import { signerOf } from '../src/x509/signature.ts';
import { type CaServer, write } from './ca-server.ts';
import { httpRequest } from './http-load.ts';
import type { OpensslSpeed } from './measure.ts';

/** One thing that a CA is asked for, over and over. */
export interface CaCase {
  name: string;
  /** What one core can do at most of it, per second; absent where cryptography does not limit it. */
  limit?: (speed: OpensslSpeed) => number;
  /** Whether each answer leaves something on disk. */
  stores: boolean;
  /** Sets the server up for it, and answers the requests that are sent in turn. */
  prepare(server: CaServer): Promise<readonly Buffer[]>;
}

/** As many as it takes for no server to answer from what it remembers. */
const distinctRequests = 10_000;

/** A mount with a P-256 root, and roles that store and do not. Once for each server, before any case. */
export async function prepareMount(server: CaServer): Promise<void> {
  await write(server, 'sys/mounts/pki', { type: 'pki' });
  await write(server, 'sys/mounts/pki/tune', { max_lease_ttl: '8760h' });
  await write(server, 'pki/root/generate/internal', { common_name: 'root', ttl: '8760h', key_type: 'ec' });
  const role = { allowed_domains: 'bench.example', allow_subdomains: true, key_type: 'ec', ttl: '72h' };
  await write(server, 'pki/roles/stored', role);
  await write(server, 'pki/roles/unstored', { ...role, no_store: true });
}

const verifyAndSign = ({ verifyAndSignPerSecond }: OpensslSpeed) => verifyAndSignPerSecond;

export const caCases: readonly CaCase[] = [
  {
    name: 'sign P-256, stored durably',
    limit: verifyAndSign,
    stores: true,
    prepare: async ({ token }) => signRequests(token, 'stored'),
  },
  {
    name: 'sign P-256, no_store',
    limit: verifyAndSign,
    stores: false,
    prepare: async ({ token }) => signRequests(token, 'unstored'),
  },
  {
    name: 'issue P-256, key made there, stored',
    limit: ({ signPerSecond }) => signPerSecond,
    stores: true,
    prepare: async ({ token }) => issueRequests(token, 'stored'),
  },
  {
    name: 'issue P-256, key made there, no_store',
    limit: ({ signPerSecond }) => signPerSecond,
    stores: false,
    prepare: async ({ token }) => issueRequests(token, 'unstored'),
  },
  {
    name: 'AppRole login, service token',
    stores: true,
    prepare: (server) => loginRequests(server, 'service'),
  },
  {
    name: 'AppRole login, batch token',
    stores: false,
    prepare: (server) => loginRequests(server, 'batch'),
  },
];

/** The same login over and over, as a client that is started for each of its tasks sends it. */
async function loginRequests(server: CaServer, type: 'service' | 'batch'): Promise<readonly Buffer[]> {
  const method = `auth/approle-${type}`;
  await write(server, `sys/${method}`, { type: 'approle' });
  const secret_id = 'bench';
  await write(server, `${method}/role/bench`, { role_id: 'bench', token_type: type, token_ttl: '1h' });
  await write(server, `${method}/role/bench/custom-secret-id`, { secret_id });
  return [put(`${method}/login`, '', { role_id: 'bench', secret_id })];
}

async function signRequests(token: string, role: string): Promise<readonly Buffer[]> {
  const requests = await distinctSigningRequests();
  return requests.map(({ name, csr }) => put(`pki/sign/${role}`, token, { csr, common_name: name }));
}

async function issueRequests(token: string, role: string): Promise<readonly Buffer[]> {
  return names().map((name) => put(`pki/issue/${role}`, token, { common_name: name }));
}

/** A request as the `vault` command sends it. */
export function put(path: string, token: string, body: object): Buffer {
  const headers = { 'X-Vault-Token': token, 'X-Vault-Request': 'true' };
  return httpRequest('PUT', `/v1/${path}`, { headers, body: JSON.stringify(body) });
}

function names(): string[] {
  return Array.from({ length: distinctRequests }, (_, index) => `w${index}.bench.example`);
}

let made: Promise<readonly { name: string; csr: string }[]> | undefined;

/** Requests for signing of as many keys, made once. */
export function distinctSigningRequests(): Promise<readonly { name: string; csr: string }[]> {
  made ??= Promise.all(
    names().map(async (name) => {
      const signer = signerOf(generateKey({ type: 'ec', curve: 'P-256' }, systemEntropy));
      const extensions = [subjectAltName([{ type: 'dns', value: name }])];
      const request = await buildRequest({ subject: nameOf({ commonName: name }), extensions }, signer);
      return { name, csr: requestPem(request) };
    }),
  );
  return made;
}
