import type { FrozenMap } from './find-free.ts';

/** A hold on a version of a space map: blocks that it uses are not handed out until {@link KeptVersions.release}. */
export interface KeptVersion {
  readonly map: FrozenMap;
}

/**
 * Versions of a space map that somebody relies on besides its last commit: readers of a committed root, and commits on their way to the
 * disk. In core only. It outlives a rollback, which opens the map anew.
 */
export class KeptVersions {
  readonly #held = new Set<KeptVersion>();
  /** Counts what was kept and released: who has worked something out from the versions held compares it. */
  changes = 0;

  keep(map: FrozenMap): KeptVersion {
    const version = { map };
    this.#held.add(version);
    this.changes++;
    return version;
  }

  release(version: KeptVersion): void {
    if (this.#held.delete(version)) this.changes++;
  }

  get size(): number {
    return this.#held.size;
  }

  /** The last commit and all that is held. */
  with(committed: FrozenMap): FrozenMap[] {
    return [committed, ...[...this.#held].map((version) => version.map).filter((map) => map !== committed)];
  }
}
