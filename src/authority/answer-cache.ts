/** Answers by what was asked, `limit` of them at most: what was not asked for longest leaves first. */
export class AnswerCache<T> {
  readonly #limit: number;
  readonly #answers = new Map<string, T>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): T | undefined {
    const found = this.#answers.get(key);
    if (found === undefined) return undefined;
    this.#answers.delete(key);
    this.#answers.set(key, found);
    return found;
  }

  set(key: string, answer: T): void {
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    if (this.#answers.size <= this.#limit) return;
    const [oldest] = this.#answers.keys();
    this.#answers.delete(oldest!);
  }
}
