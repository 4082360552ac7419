/** Plays random requests on a thin pool and on plain byte arrays, and compares. */

import { NoSpaceError } from 'persistent-data/base';
import { MemoryDevice } from 'persistent-data/io';
import type { Random } from 'persistent-data/testing';
import { checkThin } from 'persistent-data/thin';
import { MemoryData, ThinPool, type ThinVolume } from 'persistent-data/thin-pool';
import { checkDifference, checkExtents, compareBytes } from './check-volumes.ts';
import { BLOCK, type PoolShape, randomShape, SIZE } from './pool-shape.ts';

/** As often as they come. */
const KINDS = [
  ...['write', 'write', 'write', 'write', 'bigWrite', 'bigWrite', 'bigWrite', 'bigWrite', 'read', 'read'],
  ...['discard', 'zero', 'zeroKeep', 'flush', 'create', 'create', 'create', 'snapshot', 'snapshot', 'snapshot'],
  ...['write', 'write', 'write', 'write', 'bigWrite', 'bigWrite', 'bigWrite', 'bigWrite', 'read', 'read'],
  ...['delete', 'rollback', 'merge', 'resize', 'grow', 'reopen', 'growMetadata', 'hold', 'together', 'compare'],
  ...['discard', 'flush', 'snapshot', 'snapshot', 'extents', 'difference'],
];

/** A volume as it has to be. `lineage` tells what an unmapped block shows: volumes of the origin's family the origin, others zeros. */
interface ModelVolume {
  bytes: Uint8Array;
  hasOrigin: boolean;
}

/** Things that were found wrong are thrown as errors. */
export class PoolPlayer {
  readonly #random: Random;
  readonly #shape: PoolShape;
  readonly #metadata: MemoryDevice;
  readonly #data: MemoryData;
  readonly #origin: MemoryData;
  readonly #model = new Map<number, ModelVolume>();
  readonly #volumes = new Map<number, ThinVolume>();
  #pool: ThinPool;
  #dataBlocks: number;
  #nrSteps = 0;

  private constructor(random: Random, shape: PoolShape) {
    this.#random = random;
    this.#shape = shape;
    this.#metadata = new MemoryDevice({ nrBlocks: shape.nrMetadataBlocks });
    this.#data = new MemoryData({ sizeBytes: shape.nrDataBlocks * BLOCK });
    this.#dataBlocks = shape.nrDataBlocks;
    // Old data of somebody else, where the pool does not know that it is not zero.
    this.#origin = new MemoryData({ sizeBytes: shape.originBytes });
    this.#origin.write(0, random.bytes(shape.originBytes));
    this.#pool = ThinPool.create(this.#options);
  }

  static async play(random: Random, nrSteps: number): Promise<void> {
    const player = new PoolPlayer(random, randomShape(random));
    const factor = player.#shape.nrIds > 5 ? 3 : 1;
    for (let i = 0; i < factor * nrSteps; i++) await player.#step();
    await player.#reopen();
    for (const id of player.#model.keys()) await player.#compare(id);
    await player.#pool.close();
  }

  get #options() {
    const { discards, skipBlockZeroing, errorIfNoSpace, mappingCacheSlots } = this.#shape;
    const [metadata, data] = [this.#metadata, this.#data];
    const options = { discards, skipBlockZeroing, errorIfNoSpace, mappingCacheSlots };
    return { metadata, data, ...options, commitPeriodMs: 0, noSpaceTimeoutMs: 0, cacheBlocks: 64 };
  }

  async #step(): Promise<void> {
    const random = this.#random;
    this.#nrSteps++;
    const id = random.below(this.#shape.nrIds);
    const kind = this.#shape.nrIds > 5 && random.chance(0.4) ? 'snapshot' : random.pick(KINDS);
    try {
      const known = [...this.#model.keys()];
      await this.#do(kind, id, known.length > 0 ? random.pick(known) : 0);
    } catch (error) {
      if (!(error instanceof NoSpaceError && error.space === 'metadata')) {
        throw new Error(`step ${this.#nrSteps}, ${kind} ${id}: ${error}`, { cause: error });
      }
      // Nothing was changed, except by a request on several blocks, which sees to itself.
      await this.#pool.resizeMetadata(this.#metadata.nrBlocks + 10);
    }
    if (this.#nrSteps % 8 === 0) await this.#check();
  }

  async #do(kind: string, id: number, other: number): Promise<void> {
    const random = this.#random;
    const model = this.#model.get(id);
    switch (kind) {
      case 'create':
        if (model !== undefined) return;
        await this.#pool.createThin(id);
        return this.#add(id, this.#emptyBytes(id === 0), id === 0);
      case 'snapshot': {
        const origin = this.#model.get(other);
        if (model !== undefined || origin === undefined) return;
        await this.#pool.message(`create_snap ${id} ${other}`);
        return this.#add(id, origin.bytes.slice(), origin.hasOrigin);
      }
      case 'growMetadata':
        return this.#pool.resizeMetadata(this.#metadata.nrBlocks + random.below(20));
      case 'grow':
        return this.#growData(random.below(6));
      case 'reopen':
        return this.#reopen();
      case 'hold':
        if (this.#pool.info.heldRoot !== 0) return this.#pool.releaseMetadataSnapshot();
        return this.#pool.reserveMetadataSnapshot();
    }
    if (model === undefined) return;
    const volume = this.#volumes.get(id)!;
    const offset = random.chance(0.4)
      ? random.below(Math.ceil(model.bytes.length / BLOCK)) * BLOCK
      : random.below(model.bytes.length);
    const length = Math.min(
      random.pick([1, 512, 4096, BLOCK, random.below(3 * BLOCK) + 1]),
      model.bytes.length - offset,
    );
    switch (kind) {
      case 'write':
        return this.#write(id, offset, random.bytes(Math.min(length, BLOCK)));
      case 'bigWrite':
        return this.#write(id, offset, random.bytes(length));
      case 'read':
        return this.#compareRange(id, offset, length);
      case 'zero':
      case 'zeroKeep':
        // What is not written of a block shows old data then.
        if (this.#shape.skipBlockZeroing) return;
        return this.#change(id, offset, new Uint8Array(length), () =>
          volume.writeZeroes(offset, length, { mayUnmap: kind === 'zero' }),
        );
      case 'discard':
        return this.#discard(id, offset, length);
      case 'flush':
        return random.chance(0.5) ? volume.flush() : this.#pool.flush();
      case 'delete':
        volume.close();
        await this.#pool.deleteThin(id);
        this.#volumes.delete(id);
        this.#model.delete(id);
        return;
      default:
        return this.#doWithOther(kind, id, other);
    }
  }

  async #doWithOther(kind: string, id: number, other: number): Promise<void> {
    const random = this.#random;
    const model = this.#model.get(id)!;
    const second = this.#model.get(other);
    switch (kind) {
      case 'resize':
        return this.#resize(id, random.chance(0.2) ? SIZE : BLOCK * random.between(1, 15));
      case 'together':
        await Promise.all([
          this.#write(id, 0, random.bytes(600)),
          this.#volumes.get(id)!.flush(),
          this.#pool.flush(),
          this.#write(id, 3, random.bytes(5000)),
        ]);
        return;
      case 'compare':
        return this.#compare(id);
      case 'extents':
        return checkExtents(id, this.#volumes.get(id)!);
    }
    if (second === undefined || id === other) return;
    switch (kind) {
      case 'rollback':
        if (model.hasOrigin !== second.hasOrigin || model.bytes.length !== second.bytes.length) return;
        await this.#pool.rollbackThin({ thin: id, snapshot: other });
        model.bytes = second.bytes.slice();
        return;
      case 'merge':
        if (model.hasOrigin !== second.hasOrigin || model.bytes.length !== second.bytes.length) return;
        this.#volumes.get(other)!.close();
        this.#volumes.delete(other);
        try {
          await this.#pool.mergeSnapshot({ snapshot: other, origin: id });
        } catch (error) {
          this.#openVolume(other);
          throw error;
        }
        this.#model.delete(other);
        model.bytes = second.bytes;
        return;
      case 'difference':
        return this.#checkDifference(id, other);
    }
  }

  #emptyBytes(hasOrigin: boolean): Uint8Array {
    const bytes = new Uint8Array(SIZE);
    if (hasOrigin) this.#origin.read(0, bytes.subarray(0, Math.min(SIZE, this.#origin.sizeBytes)));
    return bytes;
  }

  #add(id: number, bytes: Uint8Array, hasOrigin: boolean): void {
    this.#model.set(id, { bytes, hasOrigin });
    this.#openVolume(id);
  }

  #openVolume(id: number): void {
    const { bytes, hasOrigin } = this.#model.get(id)!;
    const options = { sizeBytes: bytes.length - (bytes.length % 512), ...(hasOrigin ? { origin: this.#origin } : {}) };
    this.#volumes.set(id, this.#pool.thin(id, options));
  }

  async #write(id: number, offset: number, bytes: Uint8Array): Promise<void> {
    // Old data of another block shows where blocks are not zeroed: only whole blocks are certain there.
    if (this.#shape.skipBlockZeroing) {
      const volume = this.#volumes.get(id)!;
      const [first, last] = [Math.floor(offset / BLOCK), Math.floor((offset + bytes.length - 1) / BLOCK)];
      const begin = first * BLOCK;
      const end = Math.min((last + 1) * BLOCK, volume.sizeBytes);
      const whole = this.#model.get(id)!.bytes.slice(begin, end);
      whole.set(bytes, offset - begin);
      return this.#change(id, begin, whole, () => volume.write(begin, whole));
    }
    return this.#change(id, offset, bytes, () => this.#volumes.get(id)!.write(offset, bytes));
  }

  /** A request that leaves `bytes` at `offset`, as far as there is space. */
  async #change(
    id: number,
    offset: number,
    bytes: Uint8Array,
    request: () => Promise<void> | undefined,
  ): Promise<void> {
    const model = this.#model.get(id)!;
    const old = model.bytes.slice(offset, offset + bytes.length);
    model.bytes.set(bytes, offset);
    try {
      const waiting = request();
      if (waiting !== undefined) await this.#letGo(id, offset, bytes, waiting);
    } catch (error) {
      this.#adopt(id, offset, old);
      if (!(error instanceof NoSpaceError)) throw error;
      if (error.space === 'metadata') throw error;
      if (!this.#shape.errorIfNoSpace) throw new Error('a request failed that should have waited', { cause: error });
      if (this.#random.chance(0.5)) await this.#growData(4);
    }
  }

  /** A request waits: others go on, those for the same block wait behind it, and a longer device lets all go. */
  async #letGo(id: number, offset: number, bytes: Uint8Array, waiting: Promise<void>): Promise<void> {
    const volume = this.#volumes.get(id)!;
    const found = new Uint8Array(Math.min(bytes.length, 100));
    const last = offset + bytes.length - found.length;
    const behind = volume.read(last, found);
    if (this.#pool.info.mode === 'out_of_data_space' && behind === undefined)
      throw new Error('a read did not wait for its turn');
    for (const other of this.#model.keys()) if (other !== id) await this.#compareRange(other, 0, 4096);
    while (this.#pool.info.nrWaiting > 0) await this.#growData(2);
    await Promise.all([waiting, behind]);
    const wanted = bytes.subarray(last - offset);
    if (compareBytes(found, wanted) >= 0) throw new Error('a read did not see the write before it');
  }

  /** After a request that failed half-way: block by block what it wrote, or what was there. */
  #adopt(id: number, offset: number, old: Uint8Array): void {
    const { bytes } = this.#model.get(id)!;
    const found = new Uint8Array(old.length);
    this.#volumes.get(id)!.read(offset, found);
    for (let at = 0; at < old.length; ) {
      const end = Math.min(old.length, (Math.floor((offset + at) / BLOCK) + 1) * BLOCK - offset);
      const part = found.subarray(at, end);
      const isOld = compareBytes(part, old.subarray(at, end)) < 0;
      const isNew = compareBytes(part, bytes.subarray(offset + at, offset + end)) < 0;
      if (!isOld && !isNew) throw new Error(`a request that failed left neither old nor new bytes at ${offset + at}`);
      if (isOld) bytes.set(old.subarray(at, end), offset + at);
      at = end;
    }
  }

  async #discard(id: number, offset: number, length: number): Promise<void> {
    const model = this.#model.get(id)!;
    await this.#volumes.get(id)!.discard(offset, length);
    if (this.#shape.discards === 'ignore' || this.#pool.info.mode === 'out_of_metadata_space') return;
    const begin = Math.ceil(offset / BLOCK) * BLOCK;
    const isToEnd = offset + length === this.#volumes.get(id)!.sizeBytes;
    const end = isToEnd ? model.bytes.length : Math.floor((offset + length) / BLOCK) * BLOCK;
    if (end > begin) model.bytes.set(this.#unmappedBytes(model, begin, end), begin);
  }

  #unmappedBytes({ hasOrigin }: ModelVolume, begin: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - begin);
    const length = Math.min(end, this.#origin.sizeBytes) - begin;
    if (hasOrigin && length > 0) this.#origin.read(begin, bytes.subarray(0, length));
    return bytes;
  }

  async #resize(id: number, sizeBytes: number): Promise<void> {
    const model = this.#model.get(id)!;
    const { bytes } = model;
    // What is cut off does not come back, but where discards are ignored.
    if (this.#shape.discards === 'ignore') return;
    await this.#volumes.get(id)!.resize(sizeBytes);
    const next = this.#unmappedBytes(model, 0, sizeBytes);
    next.set(bytes.subarray(0, Math.min(bytes.length, sizeBytes)));
    model.bytes = next;
  }

  async #growData(nrBlocks: number): Promise<void> {
    this.#dataBlocks += nrBlocks;
    await this.#pool.resizeData(this.#dataBlocks * BLOCK);
  }

  async #reopen(): Promise<void> {
    await this.#pool.close();
    await this.#check(false);
    this.#pool = ThinPool.open(this.#options);
    for (const id of this.#model.keys()) this.#openVolume(id);
  }

  async #compare(id: number): Promise<void> {
    return this.#compareRange(id, 0, this.#volumes.get(id)!.sizeBytes);
  }

  async #compareRange(id: number, offset: number, length: number): Promise<void> {
    const model = this.#model.get(id)!;
    const clipped = Math.min(length, this.#volumes.get(id)!.sizeBytes - offset);
    if (clipped <= 0) return;
    const found = new Uint8Array(clipped).fill(0xaa);
    await this.#volumes.get(id)!.read(offset, found);
    const at = compareBytes(found, model.bytes.subarray(offset, offset + clipped));
    if (at >= 0) throw new Error(`volume ${id} differs at byte ${offset + at}`);
  }

  #checkDifference(id: number, other: number): void {
    const [a, b] = [this.#model.get(id)!, this.#model.get(other)!];
    if (a.hasOrigin !== b.hasOrigin || a.bytes.length !== b.bytes.length) return;
    const of = (id: number, { bytes }: ModelVolume) => ({ id, bytes, volume: this.#volumes.get(id)! });
    checkDifference(of(id, a), of(other, b));
  }

  async #check(wantsFlush = true): Promise<void> {
    if (wantsFlush) await this.#pool.flush();
    const findings = [...checkThin(this.#metadata)];
    if (findings.length > 0) throw new Error(`check: ${findings[0]!.message}`);
  }
}
