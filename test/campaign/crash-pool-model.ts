/** What volumes may hold after a crash: for each 512-byte sector all that it has held since it was last made durable. */

import type { ReadableData } from 'persistent-data/thin-pool';

/** The stamps that a sector may show, oldest first; the last one is what it shows when all that was asked for is done. */
type Candidates = number[];

const SECTOR = 512;
/** Stamps of an external origin are larger than those of writes. */
const ORIGIN = 0x8000_0000;

/** What a sector shows that no volume has written: the origin of so many sectors, and zeros beyond its end. */
export function unwrittenStamp(sector: number, originSectors: number): number {
  return sector < originSectors ? ORIGIN + sector : 0;
}

/** An external origin, each sector with its stamp; `undefined` for one without sectors. */
export function externalOrigin(originSectors: number): ReadableData | undefined {
  if (originSectors === 0) return undefined;
  const stamps = Uint32Array.from(
    { length: (originSectors * SECTOR) / 4 },
    (_, word) => ORIGIN + Math.floor(word / 128),
  );
  const bytes = new Uint8Array(stamps.buffer);
  return { sizeBytes: bytes.length, read: (offset, into) => into.set(bytes.subarray(offset, offset + into.length)) };
}

/** One volume. Each sector written has a stamp that no other write has; 0 is a sector of zeros. */
export class CrashVolume {
  readonly #sectors: Candidates[];
  /** How many candidates of each sector were dropped. */
  readonly #dropped: number[];
  /** How many of the last candidates of each sector were not answered: no flush makes them durable. */
  readonly #waiting: number[];
  /** The same of those before them that waited elsewhere when this copy was made. */
  readonly #undecided: number[];

  constructor(sectors: Candidates[], undecided = sectors.map(() => 0)) {
    this.#sectors = sectors;
    this.#dropped = sectors.map(() => 0);
    this.#waiting = sectors.map(() => 0);
    this.#undecided = undecided;
  }

  static empty(nrSectors: number, originSectors = 0): CrashVolume {
    return new CrashVolume(Array.from({ length: nrSectors }, (_, sector) => [unwrittenStamp(sector, originSectors)]));
  }

  /** What a snapshot made now has: of what waits, each sector may have it or not, until it is written again. */
  copy(): CrashVolume {
    const undecided = this.#undecided.map((count, i) => count + this.#waiting[i]!);
    return new CrashVolume(
      this.#sectors.map((candidates) => [...candidates]),
      undecided,
    );
  }

  /** Something is written that is answered at once; nothing waits for this sector in this volume. */
  write(sector: number, stamp: number): void {
    this.#undecided[sector] = 0;
    this.#sectors[sector]!.push(stamp);
  }

  /** Something is written that is not answered yet. */
  writeLater(sector: number, stamp: number): void {
    this.#sectors[sector]!.push(stamp);
    this.#waiting[sector]!++;
  }

  /** The first write that waited for a sector is done. */
  answered(sector: number): void {
    this.#waiting[sector]!--;
    this.#undecided[sector] = 0;
  }

  /** A write that waited for a sector has failed, and done nothing. */
  unwrite(sector: number, stamp: number): void {
    const candidates = this.#sectors[sector]!;
    candidates.splice(candidates.lastIndexOf(stamp), 1);
    this.#waiting[sector]!--;
  }

  /** What a flush that is asked for now will make durable; to be given to {@link acknowledge}. */
  mark(): readonly number[] {
    return this.#sectors.map(
      (candidates, i) => this.#dropped[i]! + candidates.length - 1 - this.#waiting[i]! - this.#undecided[i]!,
    );
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
