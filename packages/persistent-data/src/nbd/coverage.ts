/** Most gaps that the pieces of one read may leave between them at any moment: they come in order, or nearly so. */
const MAX_RUNS = 4096;

/**
 * Which bytes of a read have come. A server that sends a byte twice could otherwise leave another one out unnoticed, and the reader would
 * take what was in memory for data.
 */
export class Coverage {
  readonly #begin: number;
  readonly #end: number;
  /** Disjoint runs in order, begin and end in turn; neighbours that touch are one. */
  readonly #runs: number[] = [];

  /** Of `length` bytes from `offset`. */
  constructor(offset: number, length: number) {
    this.#begin = offset;
    this.#end = offset + length;
  }

  /** Adds a piece. @returns False when it is empty, lies outside, overlaps another, or there are too many gaps. */
  add(offset: number, length: number): boolean {
    const end = offset + length;
    if (length <= 0 || offset < this.#begin || end > this.#end) return false;
    const runs = this.#runs;
    // Mostly at the end.
    let i = runs.length;
    while (i > 0 && runs[i - 2]! > offset) i -= 2;
    if (i > 0 && runs[i - 1]! > offset) return false;
    if (i < runs.length && end > runs[i]!) return false;
    const joinsFormer = i > 0 && runs[i - 1] === offset;
    const joinsNext = i < runs.length && runs[i] === end;
    if (joinsFormer && joinsNext) runs.splice(i - 1, 2);
    else if (joinsFormer) runs[i - 1] = end;
    else if (joinsNext) runs[i] = offset;
    else runs.splice(i, 0, offset, end);
    return runs.length <= 2 * MAX_RUNS;
  }

  /** Whether all has come. */
  get isComplete(): boolean {
    if (this.#begin === this.#end) return true;
    return this.#runs.length === 2 && this.#runs[0] === this.#begin && this.#runs[1] === this.#end;
  }
}
