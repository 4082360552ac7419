/** Runs of mappings, in three growing columns: no object per run. */
export class RunList {
  /** Runs so far. */
  length = 0;
  virtual = new Float64Array(1024);
  data = new Float64Array(1024);
  count = new Float64Array(1024);

  push(virtual: number, data: number, count: number): void {
    if (this.length === this.virtual.length) this.#grow();
    const at = this.length++;
    this.virtual[at] = virtual;
    this.data[at] = data;
    this.count[at] = count;
  }

  #grow(): void {
    const enlarged = (from: Float64Array): Float64Array<ArrayBuffer> => {
      const to = new Float64Array(2 * from.length);
      to.set(from);
      return to;
    };
    this.virtual = enlarged(this.virtual);
    this.data = enlarged(this.data);
    this.count = enlarged(this.count);
  }
}
