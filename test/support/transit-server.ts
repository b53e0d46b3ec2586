import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { listen } from '../../src/wire/http-server.ts';

export interface TransitServer {
  address: string;
  /** Requests by path, the newest last. */
  asked: string[];
  /** A new version of the key, which encrypts from now on. */
  rotate: () => void;
  /** Answers 503 to everything, or again what it should. */
  seal: (sealed: boolean) => void;
  /** Tells of its token that so many seconds are left. */
  age: (leftSeconds: number) => void;
  close: () => Promise<void>;
}

/** What a transit engine of Vault's answers to encrypt and decrypt, and a token store to lookup-self and renew-self. */
export async function transitServer({
  token = 'transit-token',
  ttl = 300,
  port = 0,
} = {}): Promise<TransitServer> {
  const keys = [randomBytes(32)];
  const asked: string[] = [];
  let sealed = false;
  let left = ttl;
  const answer = (path: string, body: Record<string, string>): [number, unknown] => {
    if (sealed) return [503, { errors: ['Vault is sealed'] }];
    switch (path) {
      case '/v1/transit/encrypt/autounseal':
        return [200, { data: { ciphertext: encrypt(keys, body.plaintext!), key_version: keys.length } }];
      case '/v1/transit/decrypt/autounseal':
        return decrypt(keys, body.ciphertext!);
      case '/v1/auth/token/lookup-self':
        return [200, { data: { renewable: ttl > 0, ttl: left, creation_ttl: ttl } }];
      case '/v1/auth/token/renew-self':
        left = ttl;
        return [200, { auth: { lease_duration: ttl, renewable: true } }];
      default:
        return [404, { errors: [`no handler for route "${path}". route entry not found.`] }];
    }
  };
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      asked.push(request.url!);
      const text = Buffer.concat(chunks).toString();
      const body = (text ? JSON.parse(text) : {}) as Record<string, string>;
      const known = request.headers['x-vault-token'] === token;
      const [status, json] = known
        ? answer(request.url!, body)
        : [403, { errors: ['1 error occurred:\n\t* permission denied\n\n'] }];
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    });
  });
  const listening = await listen(server, { host: '127.0.0.1', port });
  return {
    address: `http://127.0.0.1:${listening.address.port}`,
    asked,
    rotate: () => void keys.push(randomBytes(32)),
    seal: (now) => {
      sealed = now;
    },
    age: (leftSeconds) => {
      left = leftSeconds;
    },
    close: () => listening.close(),
  };
}

function encrypt(keys: readonly Buffer[], plaintext: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', keys.at(-1)!, nonce);
  const text = Buffer.concat([cipher.update(Buffer.from(plaintext, 'base64')), cipher.final()]);
  const whole = Buffer.concat([nonce, text, cipher.getAuthTag()]);
  return `vault:v${keys.length}:${whole.toString('base64')}`;
}

function decrypt(keys: readonly Buffer[], ciphertext: string): [number, unknown] {
  const [, version, text] = /^vault:v(\d+):(.+)$/.exec(ciphertext) ?? [];
  const key = keys[Number(version) - 1];
  const whole = Buffer.from(text ?? '', 'base64');
  try {
    const opening = createDecipheriv('aes-256-gcm', key!, whole.subarray(0, 12));
    opening.setAuthTag(whole.subarray(-16));
    const plaintext = Buffer.concat([opening.update(whole.subarray(12, -16)), opening.final()]);
    return [200, { data: { plaintext: plaintext.toString('base64') } }];
  } catch {
    return [400, { errors: ['cipher: message authentication failed'] }];
  }
}
