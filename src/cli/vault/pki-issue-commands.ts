import { Fault } from '../../base/fault.ts';
import type { VaultClient } from './client.ts';
import { misuse } from './failure.ts';
import type { Flag } from './flags.ts';
import { parseKeyValues } from './key-values.ts';
import { printSecret } from './output.ts';
import { readIssuer, texts } from './pki-issuer.ts';
import { templateOf, withChanges } from './pki-template.ts';
import { barePath, type Call, type Subcommand } from './subcommand.ts';
import { isObject, plainText, type Value } from './value.ts';

const flags: readonly Flag[] = [
  {
    name: 'type',
    kind: 'text',
    default: 'internal',
    help: 'internal for a new key of the child mount, existing for one that it has, kms for one outside of it.',
  },
  { name: 'issuer_name', kind: 'text', help: 'A name for the new issuer.' },
];

export const pkiIssue: Subcommand = {
  summary: 'Create an intermediate CA in one mount, signed by an issuer of another',
  usage: '[options] PARENT CHILD_MOUNT KEY=VALUE...',
  about: `Has CHILD_MOUNT ask for a CA certificate, the issuer at PARENT sign it, and CHILD_MOUNT take it in, with the
certificates above it. KEY=VALUE are parameters of intermediate/generate and of sign-intermediate.

    $ capstan vault pki issue -issuer_name=int pki_root/issuer/root pki_int common_name=Int key_type=ec ttl=2160h`,
  flags,
  output: ['format'],
  async run(call) {
    const [parent, mount, ...rest] = call.args;
    if (parent === undefined || mount === undefined || rest.length === 0) {
      throw misuse(
        'Not enough arguments expected parent issuer and child-mount location and some key_value argument',
      );
    }
    const data = await parseKeyValues(rest, call.input, 'Failed to parse K=V data');
    return issue(call, await call.connect(), barePath(parent), barePath(mount), data);
  },
};

export const pkiReissue: Subcommand = {
  summary: 'Create an intermediate CA like one that there is',
  usage: '[options] PARENT TEMPLATE CHILD_MOUNT [KEY=VALUE...]',
  about: `Does what "pki issue" does, with the parameters of the certificate at TEMPLATE. KEY=VALUE go before them.

    $ capstan vault pki reissue -type=existing pki_root/issuer/next pki_int/issuer/int pki_int`,
  flags,
  output: ['format'],
  async run(call) {
    const [parent, path, mount, ...rest] = call.args;
    if (parent === undefined || path === undefined || mount === undefined) {
      throw misuse(
        'Not enough arguments: expected parent issuer and child-mount location and some key_value argument',
      );
    }
    const changes = await parseKeyValues(rest, call.input, 'Failed to parse K=V data');
    const client = await call.connect();
    const template = barePath(path);
    const known = await orMisuse(
      (why) => `Error fetching template certificate ${template} : ${why}`,
      readIssuer(client, template),
    );
    const existing = call.flags.text('type') === 'existing';
    if (existing && known.keyId === '') {
      throw misuse(
        `Template issuer ${template} did not have a key id field set in response which is required`,
      );
    }
    const data = withChanges(templateOf(known.certificate, existing ? known.keyId : undefined), changes);
    return issue(call, client, barePath(parent), barePath(mount), data);
  },
};

/** How far it has come; what fails tells of it, since each step leaves something behind. */
interface Progress {
  csr?: string;
  /** Made for it. */
  keyId?: string;
  serial?: string;
  chain?: string;
  issuerId?: string;
}

async function issue(
  call: Call,
  client: VaultClient,
  parent: string,
  mount: string,
  data: Record<string, Value>,
): Promise<number> {
  if (!parent.includes('/issuer/')) {
    throw misuse(`Parent Issuer ${parent} is Not a PKI Issuer Path of the format /mount/issuer/issuer-ref`);
  }
  await orMisuse((why) => `Unable to access parent issuer ${parent}: ${why}`, readIssuer(client, parent));
  const progress: Progress = {};
  const step = <T>(doing: string, work: Promise<T>) =>
    orMisuse((why) => `${whatIsDone(progress, parent, mount)}\n${doing}${why}`, work);
  const asked = await ask(call, client, mount, data);
  progress.csr = asked.csr;
  if (call.flags.text('type') === 'internal') progress.keyId = asked.keyId;
  const signing = {
    method: 'PUT',
    path: `${parent}/sign-intermediate`,
    body: { ...data, csr: asked.csr },
  } as const;
  const signed = await step('Error Signing Intermiate On ', client.ask(signing));
  const chain = texts(signed?.data?.ca_chain);
  const [certificate, issuing] = [
    plainText(signed?.data?.certificate ?? ''),
    plainText(signed?.data?.issuing_ca ?? ''),
  ];
  progress.serial = plainText(signed?.data?.serial_number ?? '');
  progress.chain = chain.join('\n');
  const failing = `Error Importing Into ${mount} Newly Created Issuer ${certificate}: `;
  const id = await step(failing, take(client, mount, certificate));
  progress.issuerId = id;
  const name = call.flags.text('issuer_name');
  await step('Error Naming Newly Imported Issuer: ', rename(client, mount, id, name));
  const above = await step(failing, take(client, mount, issuing));
  await nameParent(call, client, { mount, id: above, name: parent.slice(parent.lastIndexOf('/') + 1) });
  if (chain.length > 2) {
    await step(`Error Importing CaChain into ${mount}: `, take(client, mount, chain.join('\n')));
  }
  const path = `${mount}/issuer/${id}`;
  const made = await orMisuse(
    (why) => `Error Reading Fully Imported Certificate from ${path} : ${why}`,
    client.ask({ method: 'GET', path }),
  );
  if (made) await printSecret(call.terminal, made);
  return 0;
}

async function ask(call: Call, client: VaultClient, mount: string, data: Record<string, Value>) {
  const path = `${mount}/intermediate/generate/${call.flags.text('type')}`;
  const secret = await orMisuse(
    (why) => {
      if (why.includes('no handler for route'))
        return `Given Intermediate Mount ${mount} Does Not Exist: ${why}`;
      // The words are Vault's own, which scripts look for.
      if (why.includes('unsupported path'))
        return `Given Intermeidate Mount ${mount} Is Not a PKI Mount: ${why}`;
      return `Failled to Generate Intermediate CSR on ${mount}: ${why}`;
    },
    client.ask({ method: 'PUT', path, body: data }),
  );
  const { csr, key_id: keyId } = secret?.data ?? {};
  if (typeof csr !== 'string')
    throw misuse(`Failed to Generate Intermediate CSR on ${mount}: there is none in the answer`);
  return { csr, keyId: typeof keyId === 'string' ? keyId : '' };
}

/** Answers the id of the first issuer. */
async function take(client: VaultClient, mount: string, pem: string): Promise<string> {
  const body = { pem_bundle: pem };
  const secret = await client.ask({ method: 'PUT', path: `${mount}/issuers/import/cert`, body });
  const mapping = secret?.data?.mapping;
  return Object.keys(isObject(mapping) ? mapping : {})[0] ?? '';
}

async function rename(client: VaultClient, mount: string, id: string, name: string): Promise<void> {
  if (name === '' || name === 'default') return;
  try {
    await client.ask({ method: 'PATCH', path: `${mount}/issuer/${id}`, body: { issuer_name: name } });
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const { code, blame } = error;
    throw new Fault(`error naming issuer ${id} to ${name}: ${error.message}`, { code, blame, cause: error });
  }
}

/** The certificate above keeps the name that it has in its own mount, where that is free here. */
async function nameParent(
  { terminal }: Call,
  client: VaultClient,
  { mount, id, name }: { mount: string; id: string; name: string },
): Promise<void> {
  try {
    await rename(client, mount, id, name);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    terminal.warn(`Unable to name the parent's certificate ${name} in ${mount}: ${error.message}`);
  }
}

function whatIsDone(
  { csr, keyId, serial, chain, issuerId }: Progress,
  parent: string,
  mount: string,
): string {
  const [parentMount] = parent.split('/issuer/');
  const done = [
    ...(csr === undefined
      ? []
      : [`  a request was made on ${mount}${keyId ? `, with the new key ${keyId}` : ''}`]),
    ...(serial === undefined ? [] : [`  ${parentMount} signed it, as ${serial}`]),
    ...(issuerId === undefined ? [] : [`  ${mount} took it in as issuer ${issuerId}`]),
  ];
  const next =
    issuerId !== undefined
      ? [`  capstan vault read ${mount}/issuer/${issuerId} shows it, and a write to that path names it`]
      : chain !== undefined
        ? [`  capstan vault write ${mount}/issuers/import/cert pem_bundle=- takes this in:`, chain]
        : [`  capstan vault write ${parent}/sign-intermediate csr=- signs this:`, csr ?? ''];
  const back = [
    ...(keyId && issuerId === undefined ? [`  capstan vault delete ${mount}/key/${keyId}`] : []),
    ...(serial === undefined ? [] : [`  capstan vault write ${parentMount}/revoke serial_number=${serial}`]),
  ];
  return [
    'It failed half-way. What is done:',
    ...done,
    'To go on:',
    ...next,
    ...(back.length > 0 ? ['To go back:', ...back] : []),
    '',
  ].join('\n');
}

async function orMisuse<T>(message: (why: string) => string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Fault) throw misuse(message(error.message));
    throw error;
  }
}
