import type { Acme } from '../../authority/acme/acme.ts';
import { challengeOf } from '../../authority/acme/authorization.ts';
import { readJwk } from '../../authority/acme/jwk.ts';
import { readJws, readPayload, verifyJws } from '../../authority/acme/jws.ts';
import type { OrderView } from '../../authority/acme/orders.ts';
import { malformed, Problem } from '../../authority/acme/problem.ts';
import { readCertificateName, renewalRetryAfterMs } from '../../authority/acme/renewal-info.ts';
import { certificatePem } from '../../x509/certificate.ts';
import type { Route } from '../routing/route.ts';
import {
  type AccountExchange,
  type AcmeAnswer,
  accountRoute,
  type Exchange,
  inEveryDirectory,
  type KeyExchange,
  keyRoute,
  openRoute,
  signedRoute,
} from './exchange.ts';
import {
  accountObject,
  accountUrl,
  authorizationObject,
  authorizationUrl,
  challengeObject,
  instant,
  orderObject,
  orderUrl,
} from './objects.ts';

/** ACME as its clients speak it: without Vault's tokens, each request signed by the key of an account. */
export const acmeRoutes: readonly Route<Acme>[] = inEveryDirectory((at) => [
  openRoute(at, 'directory', directory),
  openRoute(at, 'new-nonce', newNonce, { head: true, nonce: true }),
  openRoute(at, 'renewal-info/*cert_id', renewalInfo),
  keyRoute(at, 'new-account', newAccount),
  accountRoute(at, 'account/:account_id', account),
  accountRoute(at, 'key-change', keyChange),
  accountRoute(at, 'new-order', newOrder),
  accountRoute(at, 'orders', (exchange) => orders(exchange, undefined)),
  accountRoute(at, 'orders/:order_id', (exchange) => orders(exchange, exchange.captures.order_id)),
  accountRoute(at, 'order/:order_id', order),
  accountRoute(at, 'order/:order_id/finalize', finalize),
  accountRoute(at, 'order/:order_id/cert', certificate),
  accountRoute(at, 'order/:order_id/cert/:issuer_id', certificate),
  accountRoute(at, 'authorization/:authorization_id', authorization),
  accountRoute(at, 'challenge/:authorization_id/:type', challenge),
  signedRoute(at, 'revoke-cert', revokeCertificate),
]);

/** Clients that wait look again after that many seconds. */
const pollAfter = { 'Retry-After': '1' };

async function directory({ base, directory: { settings } }: Exchange): Promise<AcmeAnswer> {
  return {
    body: {
      newNonce: `${base}/new-nonce`,
      newAccount: `${base}/new-account`,
      newOrder: `${base}/new-order`,
      revokeCert: `${base}/revoke-cert`,
      keyChange: `${base}/key-change`,
      renewalInfo: `${base}/renewal-info`,
      meta: { externalAccountRequired: settings.eab_policy !== 'not-required' },
    },
  };
}

/** RFC 8555 section 7.2. */
async function newNonce({ method }: Exchange): Promise<AcmeAnswer> {
  return { status: method === 'HEAD' ? 200 : 204 };
}

async function renewalInfo({ acme, captures }: Exchange): Promise<AcmeAnswer> {
  const { startMs, endMs } = await acme.renewal(readCertificateName(captures.cert_id));
  return {
    headers: { 'Retry-After': String(renewalRetryAfterMs / 1_000) },
    body: { suggestedWindow: { start: instant(startMs), end: instant(endMs) } },
  };
}

async function newAccount({
  acme,
  directory: at,
  base,
  url,
  key,
  payload = {},
}: KeyExchange): Promise<AcmeAnswer> {
  const request = { directory: at.path, url, key, payload };
  const opened = await acme.accounts.open(request, at.settings.eab_policy);
  const shown = opened.made ? payload.externalAccountBinding : undefined;
  return {
    status: opened.made ? 201 : 200,
    headers: { Location: accountUrl(base, opened.account) },
    body: {
      ...accountObject(base, opened.account),
      ...(shown === undefined ? {} : { externalAccountBinding: shown }),
    },
  };
}

async function account({
  acme,
  base,
  captures,
  account: own,
  payload,
}: AccountExchange): Promise<AcmeAnswer> {
  if (captures.account_id !== own.id)
    throw new Problem('unauthorized', 'the account is not that of the request');
  if (payload?.externalAccountBinding !== undefined) {
    throw malformed('an account that exists cannot be bound to another');
  }
  const changed = payload === undefined ? own : await acme.accounts.update(own.id, payload);
  return { headers: { Location: accountUrl(base, own) }, body: accountObject(base, changed) };
}

/** RFC 8555 section 7.3.5: inside, the new key asks for the account of the old one. */
async function keyChange({ acme, base, url, account: own, payload }: AccountExchange): Promise<AcmeAnswer> {
  const inner = readJws(payload);
  const { header } = inner;
  if ('nonce' in header || 'kid' in header)
    throw malformed('the inner JWS has a jwk, and neither kid nor nonce');
  const key = readJwk(header.jwk);
  verifyJws(inner, key);
  if (header.url !== url) throw malformed('the inner JWS is not for the URL of the request');
  const asked = readPayload(inner);
  if (asked?.account !== accountUrl(base, own)) throw malformed('the inner JWS is not for this account');
  const from = readJwk(asked.oldKey).thumbprint;
  if (from !== readJwk(own.jwk).thumbprint) throw malformed('oldKey is not the key of this account');
  const locate = (id: string) => accountUrl(base, { id });
  const changed = await acme.accounts.changeKey(own.id, { from, to: key, locate });
  return { headers: { Location: accountUrl(base, own) }, body: accountObject(base, changed) };
}

async function newOrder({
  acme,
  directory: at,
  base,
  account: own,
  payload = {},
}: AccountExchange): Promise<AcmeAnswer> {
  return { ...orderAnswer(base, await acme.orders.create(own, at, payload)), status: 201 };
}

async function orders(
  { acme, base, account: own }: AccountExchange,
  after: string | undefined,
): Promise<AcmeAnswer> {
  const { ids, next } = await acme.orders.list(own.id, after);
  return {
    ...(next === undefined ? {} : { links: [`<${base}/orders/${next}>;rel="next"`] }),
    body: { orders: ids.map((id) => orderUrl(base, id)) },
  };
}

async function order({ acme, base, captures, account: own }: AccountExchange): Promise<AcmeAnswer> {
  return orderAnswer(base, await acme.orders.get(own.id, captures.order_id!));
}

async function finalize({
  acme,
  directory: at,
  base,
  captures,
  account: own,
  payload = {},
}: AccountExchange) {
  return orderAnswer(base, await acme.orders.finalize(own, at, captures.order_id!, payload));
}

function orderAnswer(base: string, view: OrderView): AcmeAnswer {
  return {
    headers: {
      Location: orderUrl(base, view.order.id),
      ...(view.status === 'processing' ? pollAfter : {}),
    },
    body: orderObject(base, view),
  };
}

async function certificate({ acme, base, captures, account: own }: AccountExchange): Promise<AcmeAnswer> {
  const { order: of, status } = await acme.orders.get(own.id, captures.order_id!);
  if (!of.certificate) throw new Problem('orderNotReady', `the order is ${status}, not valid`);
  const chains = await acme.chains(of.certificate);
  const wanted = captures.issuer_id;
  const chosen = wanted === undefined ? chains[0] : chains.find(({ issuer }) => issuer.id === wanted);
  if (!chosen) throw new Problem('malformed', 'there is no such chain', { status: 404 });
  const url = `${orderUrl(base, of.id)}/cert`;
  const others = chains.filter((chain) => chain !== chosen);
  return {
    links: [
      `<${acme.baseUrl()}/issuer/${chosen.issuer.id}/der>;rel="up"`,
      ...others.map(({ issuer }) => `<${url}/${issuer.id}>;rel="alternate"`),
    ],
    raw: {
      contentType: 'application/pem-certificate-chain',
      body: Buffer.from(chosen.certificates.map(certificatePem).join('')),
    },
  };
}

async function authorization({
  acme,
  base,
  captures,
  account: own,
  payload,
}: AccountExchange): Promise<AcmeAnswer> {
  const id = captures.authorization_id!;
  if (payload && payload.status !== 'deactivated')
    throw malformed('an authorization can only be deactivated');
  const found = payload
    ? await acme.orders.deactivate(own.id, id)
    : await acme.orders.authorization(own.id, id);
  return {
    ...(found.status === 'pending' ? { headers: pollAfter } : {}),
    body: authorizationObject(base, found, acme.now()),
  };
}

async function challenge({
  acme,
  base,
  captures,
  account: own,
  payload,
}: AccountExchange): Promise<AcmeAnswer> {
  const { authorization_id: id = '', type = '' } = captures;
  const found = payload
    ? await acme.orders.challenge(own.id, id, type)
    : await acme.orders.authorization(own.id, id);
  const one = challengeOf(found, type);
  return {
    ...(one.status === 'processing' ? { headers: pollAfter } : {}),
    links: [`<${authorizationUrl(base, id)}>;rel="up"`],
    body: challengeObject(base, found, one),
  };
}

async function revokeCertificate(exchange: AccountExchange | KeyExchange): Promise<AcmeAnswer> {
  const { acme, payload = {} } = exchange;
  await acme.revoking.revoke(
    'account' in exchange ? { account: exchange.account } : { key: exchange.key },
    payload,
  );
  return {};
}
