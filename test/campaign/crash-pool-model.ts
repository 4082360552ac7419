/** What volumes may hold after a crash: for each 512-byte sector all that it has held since it was last made durable. */

/** The stamps that a sector may show, oldest first; the last one is what it shows now. */
type Candidates = number[];

/** One volume. Each sector written has a stamp that no other write has; 0 is a sector of zeros. */
export class CrashVolume {
  readonly #sectors: Candidates[];
  /** How many candidates of each sector were dropped. */
  readonly #dropped: number[];

  constructor(sectors: Candidates[]) {
    this.#sectors = sectors;
    this.#dropped = sectors.map(() => 0);
  }

  static empty(nrSectors: number): CrashVolume {
    return new CrashVolume(Array.from({ length: nrSectors }, () => [0]));
  }

  copy(): CrashVolume {
    return new CrashVolume(this.#sectors.map((candidates) => [...candidates]));
  }

  current(sector: number): number {
    return this.#sectors[sector]!.at(-1)!;
  }

  write(sector: number, stamp: number): void {
    this.#sectors[sector]!.push(stamp);
  }

  /** Takes back the last write to a sector: it failed. */
  unwrite(sector: number): void {
    this.#sectors[sector]!.pop();
  }

  /** What a flush that is asked for now will make durable; to be given to {@link acknowledge}. */
  mark(): readonly number[] {
    return this.#sectors.map((candidates, i) => this.#dropped[i]! + candidates.length - 1);
  }

  acknowledge(marks: readonly number[]): void {
    this.#sectors.forEach((candidates, i) => {
      const nr = Math.max(0, marks[i]! - this.#dropped[i]!);
      candidates.splice(0, nr);
      this.#dropped[i]! += nr;
    });
  }

  /** The first sector that shows what it must not; -1 when there is none. A sector counts as its first word if all words are the same. */
  wrongSector(bytes: Uint32Array): number {
    for (let sector = 0; sector < this.#sectors.length; sector++) {
      const stamp = bytes[sector * 128]!;
      for (let i = 1; i < 128; i++) if (bytes[sector * 128 + i] !== stamp) return sector;
      if (!this.#sectors[sector]!.includes(stamp)) return sector;
    }
    return -1;
  }

  /** For a report. */
  describe(sector: number): string {
    return `[${this.#sectors[sector]!.join(', ')}]`;
  }
}

/** All volumes by their ids: one state in which a pool may be found. */
export type CrashVolumes = Map<number, CrashVolume>;
