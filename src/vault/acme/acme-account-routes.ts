import type { Account } from '../../authority/acme/accounts.ts';
import type { Acme } from '../../authority/acme/acme.ts';
import type { OrderView } from '../../authority/acme/orders.ts';
import { Problem } from '../../authority/acme/problem.ts';
import { toldSerial } from '../../authority/ledger.ts';
import { absent, invalidRequest } from '../faults.ts';
import { defineRoute } from '../routing/define-route.ts';
import type { Route } from '../routing/route.ts';
import { instant } from './objects.ts';

/** What operators see of accounts, and may say of them (Vault 1.21). */
export const acmeAccountRoutes: readonly Route<Acme>[] = [
  defineRoute('acme/mgmt/account/keyid', {
    fields: { after: 'text', limit: 'integer' },
    on: { list: async (acme, { fields }) => ({ data: { keys: await acme.accounts.ids(fields) } }) },
  }),
  defineRoute('acme/mgmt/account/keyid/:keyid', {
    fields: { status: 'text' },
    on: {
      read: async (acme, { captures }) => {
        const account = existing(await acme.accounts.get(captures.keyid!), captures.keyid!);
        const orders = await acme.orders.all(account.id);
        return { data: { ...describe(account), orders: orders.map(describeOrder) } };
      },
      update: async (acme, { captures, fields: { status } }) => {
        const wanted = readStatus(status);
        return { data: describe(existing(await setStatus(acme, captures.keyid!, wanted), captures.keyid!)) };
      },
    },
  }),
];

function existing(account: Account | undefined, id: string): Account {
  if (account) return account;
  throw absent(`ACME key id ${id} did not exist`);
}

function readStatus(status: string | undefined): 'valid' | 'revoked' {
  if (status === undefined) throw invalidRequest('status is required');
  const wanted = status.trim().toLowerCase();
  if (wanted === 'valid' || wanted === 'revoked') return wanted;
  throw invalidRequest(`invalid status ${JSON.stringify(status)}`);
}

async function setStatus(acme: Acme, id: string, status: 'valid' | 'revoked'): Promise<Account | undefined> {
  try {
    return await acme.accounts.setStatus(id, status);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw invalidRequest(error.message, error);
  }
}

function describe(account: Account): Record<string, unknown> {
  const { id, status, contact, directory, createdMs, endedMs, boundTo } = account;
  return {
    key_id: id,
    status,
    contacts: contact,
    created_time: instant(createdMs),
    revoked_time: endedMs === undefined ? '' : instant(endedMs),
    directory: `${directory}/`,
    eab: boundTo
      ? {
          eab_id: boundTo.id,
          directory: `${directory}/`,
          created_time: instant(boundTo.createdMs),
          key_type: 'hs',
        }
      : {},
  };
}

function describeOrder({ order, status }: OrderView): Record<string, unknown> {
  const { id, identifiers, certificate, expiresMs } = order;
  return {
    order_id: id,
    status,
    identifiers: identifiers.map(({ value }) => value),
    cert_serial_number: certificate ? toldSerial(certificate.serial) : '',
    cert_expiry: certificate ? instant(certificate.notAfterMs) : '',
    order_expiry: instant(expiresMs),
  };
}
