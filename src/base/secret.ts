import { inspect } from 'node:util';

const dots = '••••••';

/** Text that must not be seen: it prints, logs and serialises as dots, and only `reveal()` gives it away. */
export class SecretText {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  /** The text itself. Call it where the text leaves for the one place that needs it, nowhere else. */
  reveal(): string {
    return this.#text;
  }

  toString(): string {
    return dots;
  }

  toJSON(): string {
    return dots;
  }

  [inspect.custom](): string {
    return dots;
  }
}
