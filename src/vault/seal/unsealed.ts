import type { Reply } from '../core.ts';
import type { OpenVault } from '../open-vault.ts';
import type { VaultRequest } from '../routing/route.ts';
import { type Ceremonies, type CeremoniesOptions, openCeremonies } from './ceremonies.ts';
import type { KeyRotation } from './key-rotation.ts';

export interface UnsealedOptions extends Omit<CeremoniesOptions, 'issueRoot'> {
  vault: OpenVault;
  rotation: KeyRotation;
}

/** An open server that knows when nobody uses it any more. */
export class Unsealed {
  readonly vault: OpenVault;
  readonly ceremonies: Ceremonies;
  readonly #options: UnsealedOptions;
  #underWay = 0;
  #idle: (() => void) | undefined;

  constructor(options: UnsealedOptions) {
    this.#options = options;
    this.vault = options.vault;
    this.ceremonies = openCeremonies({ ...options, issueRoot: (id) => options.vault.issueRoot(id) });
  }

  async handle(request: VaultRequest): Promise<Reply> {
    this.#underWay += 1;
    try {
      return await this.vault.core.handle(request);
    } finally {
      this.#underWay -= 1;
      if (this.#underWay === 0) this.#idle?.();
    }
  }

  /** Resolves once requests under way are answered and the keys forgotten. */
  async close(): Promise<void> {
    const { barrier, rotation } = this.#options;
    this.vault.close();
    const { barrier: rekey, recovery, rootToken } = this.ceremonies;
    for (const ceremony of [rekey, recovery, rootToken]) ceremony.cancel();
    if (this.#underWay > 0) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#idle = resolve;
      await promise;
    }
    await rotation.close();
    barrier.forget();
  }
}
