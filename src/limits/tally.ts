/** Amounts in total and by key. A key whose amount is zero takes no memory. */
export class Tally {
  total = 0;
  readonly #byKey = new Map<string, number>();

  /** How many keys have an amount. */
  get size(): number {
    return this.#byKey.size;
  }

  of(key: string): number {
    return this.#byKey.get(key) ?? 0;
  }

  add(key: string, amount: number): void {
    this.total += amount;
    const sum = this.of(key) + amount;
    if (sum === 0) this.#byKey.delete(key);
    else this.#byKey.set(key, sum);
  }
}
