import { PutBuffer } from '../btree/index.ts';
import { METADATA_BLOCK_SIZE } from '../format/index.ts';
import type { StoreCore } from './core.ts';
import type { StoreDisk } from './disk.ts';
import type { Handle } from './handle.ts';
import type { RawTree } from './raw-tree.ts';
import type { Space } from './space.ts';

/** Sets in a row, in a large transaction, after which entries are gathered. Doubled when gathering them was not worth it. */
const MIN_PATIENCE = 64;
const MAX_PATIENCE = 1 << 20;
/** Gathering so many was worth it. */
const WORTHWHILE = 1024;
/**
 * Entries that are gathered for a tree: a quarter of what it has, at least so many; of all memory for blocks at most a 32nd. A random insert into a million took
 * 315 ns of the processor with an eighth, 270 with a third (bench: `kv`).
 */
const MIN_ENTRIES = 8192;
const PART_OF_TREE = 1 / 4;
const PART_OF_CACHE = 1 / 32;
/** Blocks that putting an entry could take at the very worst: a path of new nodes, with splits. */
const BLOCKS_PER_ENTRY = 16;

/** What a backlog needs to know of the engine. */
export interface BacklogHost {
  stamp: number;
  readonly core: Pick<StoreCore, 'epoch'>;
  readonly space: Pick<Space, 'nrReachable' | 'quietly'>;
  readonly disk: Pick<StoreDisk, 'blockManager'>;
  ensureSpace(): void;
  /** A change failed half-way: the transaction is broken now. Answers the error. */
  failChange(error: unknown): unknown;
}

/**
 * Entries of a large transaction that wait to be put into their trees, sorted and many at a time: a random insert takes a quarter of the time, one in order a
 * third (bench: `kv`).
 *
 * It is open from the first such entry until anybody looks at the store or changes it otherwise: then all of them are put first. As long as it is open the
 * engine's stamp is one that no handle has, so that whoever wants anything comes by the engine, which closes it. Handles whose next call is another
 * `set` know by {@link stamp} that they may go on. In a transaction that looks at the store again and again it is opened ever less often.
 *
 * An entry is taken only if there is space for it at the very worst, so that putting it later can't fail for want of it.
 */
export class Backlog {
  /** The engine's stamp while it is open, else -1. */
  stamp = -1;
  readonly #host: BacklogHost;
  /** The stamp of handles that were up to date when it was opened. */
  #before = -1;
  /** Trees that have entries here, or may have. */
  readonly #trees = new Set<RawTree>();
  #nrSets = 0;
  #patience = MIN_PATIENCE;
  #nrGathered = 0;

  constructor(host: BacklogHost) {
    this.#host = host;
  }

  /** A transaction begins. */
  begin(): void {
    this.#nrSets = 0;
    this.#patience = MIN_PATIENCE;
  }

  /** A set in a large transaction. Answers whether it and what follows had better wait: then this is open for that tree. */
  opensFor({ raw, stamp }: Handle<RawTree>): boolean {
    if (++this.#nrSets < this.#patience) return false;
    this.#nrSets = 0;
    if (!this.#take(raw)) return false;
    this.#nrGathered = 0;
    this.#before = stamp;
    this.stamp = ++this.#host.stamp;
    return true;
  }

  /** Whether it is open, and the tree of this handle may use it as well. */
  admits({ raw, stamp, place }: Handle<RawTree>): boolean {
    const { core } = this.#host;
    if (this.stamp !== this.#host.stamp || stamp !== this.#before || place.isFrozen) return false;
    return raw.epoch === core.epoch && (this.#trees.has(raw) || this.#take(raw));
  }

  /** What has gathered for a tree is enough: puts it. */
  putFull(raw: RawTree): void {
    let more = false;
    this.#host.space.quietly(() => {
      this.#put(raw);
      more = this.#take(raw);
    });
    if (!more) this.close();
  }

  /** Puts all that is here. Whoever wants to see the store, or to change it, calls this first. */
  close(): void {
    if (this.stamp < 0) return;
    this.stamp = -1;
    this.#host.stamp++;
    this.#host.space.quietly(() => {
      for (const raw of this.#trees) this.#put(raw);
      this.drop();
    });
    this.#patience = this.#nrGathered < WORTHWHILE ? Math.min(2 * this.#patience, MAX_PATIENCE) : MIN_PATIENCE;
  }

  /** Forgets all that is here: it is rolled back. */
  drop(): void {
    for (const raw of this.#trees) raw.backlog = undefined;
    this.#trees.clear();
    this.stamp = -1;
  }

  #put(raw: RawTree): void {
    const host = this.#host;
    this.#nrGathered += raw.backlog!.count;
    try {
      raw.putBacklog(() => host.ensureSpace());
    } catch (error) {
      this.drop();
      throw host.failChange(error);
    }
  }

  /** Lets entries gather for a tree, if they can be enough. */
  #take(raw: RawTree): boolean {
    this.#trees.delete(raw);
    const most = this.#mostFor(raw);
    if (raw.levels > 1 || most < WORTHWHILE) return false;
    this.#trees.add(raw);
    raw.backlog ??= new PutBuffer(raw.valueSize);
    raw.backlog.most = most;
    return true;
  }

  /** Entries that may wait for a tree. */
  #mostFor({ count, valueSize }: RawTree): number {
    const { disk, space } = this.#host;
    const cacheBytes = disk.blockManager.capacity * METADATA_BLOCK_SIZE;
    const inMemory = (cacheBytes * PART_OF_CACHE) / PutBuffer.bytesPerEntry(valueSize);
    let onDisk = space.nrReachable / BLOCKS_PER_ENTRY;
    for (const { backlog } of this.#trees) onDisk -= backlog!.most;
    return Math.floor(Math.min(Math.max(MIN_ENTRIES, count * PART_OF_TREE), inMemory, onDisk));
  }
}
