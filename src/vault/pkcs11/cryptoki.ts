import { describeError, Fault } from '../../base/fault.ts';

/** The functions of a PKCS#11 library by their names; what one returns counts as an error unless it is CKR_OK or among `allowed`. */
export interface Cryptoki {
  /** Buffers and structures go by address, numbers as CK_ULONG. @throws Fault `vault.seal.away`, `vault.seal.pin` */
  call(name: FunctionName, args: readonly Argument[], allowed?: readonly number[]): Promise<number>;
  /** Ends all sessions and begins anew, as it takes for a token that came back. Nothing else may be under way. */
  restart(): Promise<void>;
  /** The address of `buffer`, for structures that hold it. The buffer must live as long as the structure is used. */
  address(buffer: Buffer): bigint;
}

type Argument = Buffer | Structure | bigint | number | null;

/** Bytes of a C structure, and all that it points to. */
export interface Structure {
  bytes: Buffer;
  holds: readonly unknown[];
}

/** Places in CK_FUNCTION_LIST and the kinds of parameters: u is CK_ULONG, p a pointer (PKCS#11 2.40, pkcs11f.h). */
const functions = {
  C_Initialize: [0, 'p'],
  C_Finalize: [1, 'p'],
  C_GetSlotList: [4, 'upp'],
  C_GetTokenInfo: [6, 'up'],
  C_OpenSession: [12, 'uuppp'],
  C_CloseSession: [13, 'u'],
  C_Login: [18, 'uupu'],
  C_Logout: [19, 'u'],
  C_GetAttributeValue: [24, 'uupu'],
  C_FindObjectsInit: [26, 'upu'],
  C_FindObjects: [27, 'upup'],
  C_FindObjectsFinal: [28, 'u'],
  C_EncryptInit: [29, 'upu'],
  C_Encrypt: [30, 'upupp'],
  C_DecryptInit: [33, 'upu'],
  C_Decrypt: [34, 'upupp'],
  C_SignInit: [42, 'upu'],
  C_Sign: [43, 'upupp'],
  C_GenerateKey: [58, 'uppup'],
  C_GenerateKeyPair: [59, 'uppupupp'],
} as const;

export type FunctionName = keyof typeof functions;

/** A version of two bytes stands before the pointers, which are aligned. */
const pointerBytes = 8;

/** As pkcs11t.h names them; what is not here is told by its number. */
const problems: Readonly<Record<number, string>> = {
  3: 'CKR_SLOT_ID_INVALID',
  5: 'CKR_GENERAL_ERROR',
  17: 'CKR_ATTRIBUTE_SENSITIVE',
  18: 'CKR_ATTRIBUTE_TYPE_INVALID',
  48: 'CKR_DEVICE_ERROR',
  50: 'CKR_DEVICE_REMOVED',
  64: 'CKR_ENCRYPTED_DATA_INVALID',
  65: 'CKR_ENCRYPTED_DATA_LEN_RANGE',
  96: 'CKR_KEY_HANDLE_INVALID',
  99: 'CKR_KEY_TYPE_INCONSISTENT',
  104: 'CKR_KEY_FUNCTION_NOT_PERMITTED',
  112: 'CKR_MECHANISM_INVALID',
  113: 'CKR_MECHANISM_PARAM_INVALID',
  160: 'CKR_PIN_INCORRECT',
  161: 'CKR_PIN_INVALID',
  162: 'CKR_PIN_LEN_RANGE',
  164: 'CKR_PIN_LOCKED',
  176: 'CKR_SESSION_CLOSED',
  179: 'CKR_SESSION_HANDLE_INVALID',
  224: 'CKR_TOKEN_NOT_PRESENT',
  257: 'CKR_USER_NOT_LOGGED_IN',
  258: 'CKR_USER_PIN_NOT_INITIALIZED',
  400: 'CKR_CRYPTOKI_NOT_INITIALIZED',
};

const alreadyInitialised = 0x191;
/** CKF_OS_LOCKING_OK, in CK_C_INITIALIZE_ARGS: calls come from several threads. */
const lockingFlag = 2n;

/**
 * The library at `path`, which is loaded into this process and called on its worker threads.
 *
 * @throws Fault `vault.seal.config` where the package that calls it, or the library, is not there
 */
export async function openCryptoki(path: string): Promise<Cryptoki> {
  const koffi = await loadKoffi();
  const table = [0n];
  let library: unknown;
  try {
    const loaded = koffi.load(path);
    library = loaded;
    const list = loaded.func('unsigned long C_GetFunctionList(_Out_ void **list)');
    const code = list(table) as number;
    if (code !== 0) throw new Error(`C_GetFunctionList answered ${code}`);
  } catch (error) {
    throw new Fault(`the PKCS#11 library ${path} cannot be used: ${describeError(error)}`, {
      code: 'vault.seal.config',
      blame: 'operator',
      fix: 'correct lib (or library); it is the path of a shared object for this machine, such as /usr/lib/softhsm/libsofthsm2.so',
      cause: error,
    });
  }
  const kinds = { u: 'unsigned long', p: 'void *' } as const;
  const bound = new Map(
    Object.entries(functions).map(([name, [place, parameters]]) => {
      const proto = koffi.proto(
        'unsigned long',
        parameters.split('').map((kind) => kinds[kind as 'u' | 'p']),
      );
      const at = koffi.decode(table[0], pointerBytes * (place + 1), 'void *') as bigint;
      return [name, koffi.decode(at, proto) as Native];
    }),
  );
  /**
   * What must not be freed though nothing else refers to it: the library, which is unloaded with its object, and what a
   * call under way works on.
   */
  const inUse = new Set<unknown>([library]);
  const cryptoki: Cryptoki = {
    address: (buffer) => koffi.address(buffer),
    async call(name, args, allowed = []) {
      inUse.add(args);
      const plain = args.map((arg) => (arg && typeof arg === 'object' && 'bytes' in arg ? arg.bytes : arg));
      const code = await new Promise<number>((resolve, reject) => {
        bound.get(name)!.async(...plain, (error: unknown, result: number) => {
          if (error) reject(error);
          else resolve(result);
        });
      }).finally(() => inUse.delete(args));
      if (code !== 0 && !allowed.includes(code)) throw refused(name, code);
      return code;
    },
    async restart() {
      await cryptoki.call('C_Finalize', [null]).catch(() => {});
      await initialise(cryptoki);
    },
  };
  await initialise(cryptoki);
  return cryptoki;
}

async function initialise(cryptoki: Cryptoki): Promise<void> {
  const args = Buffer.alloc(48);
  args.writeBigUInt64LE(lockingFlag, 32);
  await cryptoki.call('C_Initialize', [args], [alreadyInitialised]);
}

interface Native {
  async(...args: unknown[]): void;
}

async function loadKoffi() {
  try {
    return (await import('koffi')).default;
  } catch (error) {
    throw new Fault('PKCS#11 needs the package koffi, which is not installed', {
      code: 'vault.seal.config',
      blame: 'operator',
      fix: 'install it beside Capstan: npm install koffi@3',
      cause: error,
    });
  }
}

function refused(name: string, code: number): Fault {
  const problem = problems[code] ?? `0x${code.toString(16)}`;
  const pin = code >= 160 && code <= 164;
  return new Fault(`the HSM answered ${problem} to ${name}`, {
    code: pin ? 'vault.seal.pin' : 'vault.seal.away',
    blame: 'operator',
    fix: pin
      ? 'correct pin (or VAULT_HSM_PIN), and start again: it is not tried twice, since an HSM locks after a few'
      : 'see to it that the HSM is reached and its token allows this',
  });
}
