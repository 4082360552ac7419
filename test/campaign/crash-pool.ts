/** Crash states of a thin pool with its data: both disks lose power at the same moment. See docs/crash-model.md. */

import { NoSpaceError } from 'persistent-data/base';
import type { BlockDevice, MemoryDevice } from 'persistent-data/io';
import { CrashDevice, type CrashPoint, shrinkScript } from 'persistent-data/testing';
import { checkThin } from 'persistent-data/thin';
import {
  BlockData,
  ThinPool,
  type ThinPoolOptions,
  type ThinVolume,
  type ThinVolumeOptions,
} from 'persistent-data/thin-pool';
import { type Campaign, Failure, type Run, textOf } from './campaign.ts';
import { CrashVolume, type CrashVolumes, externalOrigin, unwrittenStamp } from './crash-pool-model.ts';
import {
  BLOCK_SECTORS,
  NR_BLOCKS,
  NR_SECTORS,
  type PoolCrashCase,
  type PoolStep,
  randomPoolCase,
  SECTOR,
} from './crash-pool-script.ts';

const BLOCK = 65_536;
const SIZE = NR_BLOCKS * BLOCK;

/** What a script came to. */
export interface PoolCrashOutcome {
  readonly nrStates: number;
  /** Writes that were not answered at once. */
  readonly nrWaited: number;
  readonly problem: string | undefined;
}

/** Plays a script, and looks at what would be left at each moment. */
export async function crashPool(each: PoolCrashCase): Promise<PoolCrashOutcome> {
  const player = new CrashPlayer(each);
  try {
    await player.play();
  } catch (error) {
    player.problem ??= textOf(error);
  }
  const { nrStates, nrWaited, problem } = player;
  return { nrStates, nrWaited, problem };
}

/** What was asked for by now, and does not wait for space, is answered afterwards. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class CrashPlayer {
  nrStates = 0;
  nrWaited = 0;
  problem: string | undefined;
  readonly #each: PoolCrashCase;
  readonly #metadata: CrashDevice;
  readonly #data: CrashDevice;
  readonly #volumes = new Map<number, ThinVolume>();
  #pool: ThinPool;
  /** What may be found: the state, and the one that an operation under way leads to. */
  #now: CrashVolumes = new Map();
  #next: CrashVolumes | undefined;
  #stamp = 1;
  #flushing: Promise<void>[] = [];
  /** Writes that wait for space, or for their turn, by the volume. */
  readonly #waiting: { readonly id: number; readonly first: number; readonly end: number }[] = [];
  #isClosing = false;
  #isLooking = false;

  constructor(each: PoolCrashCase) {
    this.#each = each;
    const { nrMetadataBlocks: nrBlocks, nrDataBlocks } = each;
    const look = (point: CrashPoint, isData: boolean) => this.#look(point, isData);
    this.#metadata = new CrashDevice({ nrBlocks, ...each.metadataDisk, onCrashPoint: (point) => look(point, false) });
    // Old data of somebody else.
    const image = new Uint8Array(nrDataBlocks * BLOCK).fill(0x77);
    this.#data = new CrashDevice({ image, ...each.dataDisk, onCrashPoint: (point) => look(point, true) });
    this.#pool = ThinPool.create(this.#options());
  }

  async play(): Promise<void> {
    await this.#pool.flush();
    this.#isLooking = true;
    for (const step of this.#each.script) {
      await this.#step(step);
      if (this.problem !== undefined) return;
    }
    await this.#settle();
    this.#look(this.#metadata.crashPoint('the end'), false);
    this.#isClosing = true;
    await this.#pool.close();
  }

  #options(): ThinPoolOptions {
    const { holes, skipBlockZeroing, waitsForSpace } = this.#each;
    const data = new BlockData(this.#data, { holes });
    const metadata = this.#each.wrapMetadata?.(this.#metadata) ?? this.#metadata;
    const common = { metadata, data, skipBlockZeroing, cacheBlocks: 64 };
    const space = { errorIfNoSpace: !waitsForSpace, noSpaceTimeoutMs: 0 };
    return { ...common, ...space, commitPeriodMs: 0, mappingCacheSlots: 16 };
  }

  async #step(step: PoolStep): Promise<void> {
    const [verb, a = 0, b = 0, c = 0] = step as readonly [PoolStep[0], number?, number?, number?];
    try {
      switch (verb) {
        case 'write':
        case 'zero':
          return await this.#write(verb, a, b, c);
        case 'discard':
          return await this.#discard(a, b, c);
        case 'flush':
        case 'flushAsync':
          if (!this.#now.has(a)) return;
          this.#flushing.push(this.#flush(this.#volumes.get(a)!));
          return verb === 'flush' ? await this.#settle() : undefined;
        case 'sync':
          this.#flushing.push(this.#flush());
          return;
        default:
          await this.#settle();
          return await this.#manage(verb, a, b);
      }
    } catch (error) {
      if (!(error instanceof NoSpaceError)) throw error;
    }
  }

  async #manage(verb: PoolStep[0], id: number, other: number): Promise<void> {
    const [volume, second] = [this.#now.get(id), this.#now.get(other)];
    // What waits would go to what the volume becomes, or fail with it.
    const isBusy = this.#waiting.some((each) => each.id === id || each.id === other);
    if (isBusy && (verb === 'delete' || verb === 'rollback' || verb === 'merge')) return;
    switch (verb) {
      case 'create':
        if (volume) return;
        return this.#operate(new Map(this.#now).set(id, CrashVolume.empty(NR_SECTORS, this.#each.originSectors)), () =>
          this.#pool.createThin(id),
        );
      case 'snapshot':
        if (volume || !second) return;
        return this.#operate(new Map(this.#now).set(id, second.copy()), () =>
          this.#pool.createSnapshot({ snapshot: id, origin: other }),
        );
      case 'delete':
        if (!volume) return;
        this.#closeVolume(id);
        return this.#operate(this.#without(id), () => this.#pool.deleteThin(id));
      case 'rollback':
        if (!volume || !second || id === other) return;
        return this.#operate(new Map(this.#now).set(id, second.copy()), () =>
          this.#pool.rollbackThin({ thin: id, snapshot: other }),
        );
      case 'merge':
        if (!volume || !second || id === other) return;
        this.#closeVolume(other);
        return this.#operate(this.#without(other).set(id, second.copy()), () =>
          this.#pool.mergeSnapshot({ snapshot: other, origin: id }),
        );
      case 'growData':
        return this.#pool.resizeData(this.#data.nrBlocks * 4096 + id * BLOCK);
      case 'growMetadata':
        return this.#pool.resizeMetadata(this.#metadata.nrBlocks + id);
      case 'hold':
        if (this.#pool.info.heldRoot !== 0) return this.#pool.releaseMetadataSnapshot();
        return this.#pool.reserveMetadataSnapshot();
      case 'reopen':
        return this.#reopen();
    }
  }

  /** An operation that is there after a crash or is not; when it is answered it is there, and all that was written before. */
  async #operate(next: CrashVolumes, operation: () => Promise<void>): Promise<void> {
    const marks = new Map([...next].map(([id, volume]) => [id, volume.mark()]));
    this.#next = next;
    try {
      await operation();
      this.#now = next;
      for (const [id, volume] of next) volume.acknowledge(marks.get(id)!);
    } finally {
      this.#next = undefined;
      this.#openVolumes();
    }
  }

  get #shape(): ThinVolumeOptions {
    const origin = externalOrigin(this.#each.originSectors);
    return { sizeBytes: SIZE, ...(origin ? { origin } : {}) };
  }

  #without(id: number): CrashVolumes {
    return new Map([...this.#now].filter(([other]) => other !== id));
  }

  #closeVolume(id: number): void {
    this.#volumes.get(id)?.close();
    this.#volumes.delete(id);
  }

  #openVolumes(): void {
    for (const id of this.#now.keys()) {
      if (!this.#volumes.has(id)) this.#volumes.set(id, this.#pool.thin(id, this.#shape));
    }
  }

  /** Sectors of one block, so that a request that fails has done nothing. */
  async #write(verb: 'write' | 'zero', id: number, sector: number, count: number): Promise<void> {
    const model = this.#now.get(id);
    if (model === undefined) return;
    const isWhole = this.#each.skipBlockZeroing || count >= BLOCK_SECTORS;
    const first = isWhole ? sector - (sector % BLOCK_SECTORS) : sector;
    const end = Math.min(
      isWhole ? first + BLOCK_SECTORS : sector + count,
      first - (first % BLOCK_SECTORS) + BLOCK_SECTORS,
    );
    const words = new Uint32Array((end - first) * 128);
    const stamps = Array.from({ length: end - first }, () => (verb === 'zero' ? 0 : this.#stamp++));
    stamps.forEach((stamp, i) => {
      words.fill(stamp, i * 128, (i + 1) * 128);
      model.writeLater(first + i, stamp);
    });
    const volume = this.#volumes.get(id)!;
    const send = async (): Promise<void> => {
      if (verb === 'write') await volume.write(first * SECTOR, new Uint8Array(words.buffer));
      else await volume.writeZeroes(first * SECTOR, (end - first) * SECTOR, { mayUnmap: sector % 2 === 0 });
    };
    const waiting = { id, first, end };
    this.#waiting.push(waiting);
    const answer = (error?: unknown): void => {
      for (const [i, stamp] of stamps.entries()) {
        if (error === undefined) model.answered(first + i);
        else model.unwrite(first + i, stamp);
      }
      this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
      const isExpected = error === undefined || error instanceof NoSpaceError || this.#isClosing;
      if (!isExpected) this.problem ??= textOf(error);
    };
    const done = send().then(() => answer(), answer);
    if (!this.#each.waitsForSpace) return done;
    await turn();
    if (this.#waiting.includes(waiting)) this.nrWaited++;
  }

  async #discard(id: number, block: number, count: number): Promise<void> {
    const model = this.#now.get(id);
    if (model === undefined) return;
    const end = Math.min(NR_BLOCKS, block + count);
    const [first, last] = [block * BLOCK_SECTORS, end * BLOCK_SECTORS];
    if (this.#waiting.some((each) => each.id === id && each.first < last && first < each.end)) return;
    for (let at = first; at < last; at++) model.write(at, unwrittenStamp(at, this.#each.originSectors));
    await this.#volumes.get(id)!.discard(block * BLOCK, (end - block) * BLOCK);
  }

  /** Of one volume; or of the pool. What it answers for is durable then. */
  async #flush(volume?: ThinVolume): Promise<void> {
    const now = this.#now;
    const marks = [...now]
      .filter(([id]) => volume === undefined || volume.id === id)
      .map(([id, each]) => [id, each.mark()] as const);
    await (volume ?? this.#pool).flush();
    for (const [id, mark] of marks) now.get(id)!.acknowledge(mark);
  }

  async #settle(): Promise<void> {
    const flushing = this.#flushing;
    this.#flushing = [];
    await Promise.all(flushing);
  }

  async #reopen(): Promise<void> {
    const now = this.#now;
    const marks = new Map([...now].map(([id, volume]) => [id, volume.mark()]));
    this.#isClosing = true;
    await this.#pool.close();
    await turn();
    this.#isClosing = false;
    for (const [id, volume] of now) volume.acknowledge(marks.get(id)!);
    this.#volumes.clear();
    this.#pool = ThinPool.open(this.#options());
    this.#openVolumes();
  }

  /** Looks at states of one disk's crash point together with states that the other may be in at the same time. */
  #look(point: CrashPoint, isData: boolean): void {
    if (!this.#isLooking || this.problem !== undefined) return;
    const { limit, seed } = this.#each;
    const other = (isData ? this.#metadata : this.#data).crashPoint();
    const [metadata, data] = isData ? [other, point] : [point, other];
    const nr = Math.max(2, Math.ceil(Math.sqrt(limit)));
    const metadataStates = [...metadata.states({ limit: nr, seed: seed + point.index })];
    const dataStates = [...data.states({ limit: nr, seed: seed + point.index })];
    for (const metadataState of metadataStates) {
      for (const dataState of dataStates) {
        this.nrStates++;
        const found = this.#stateProblem(metadataState.open(), dataState.open());
        if (found === undefined) continue;
        this.problem = `${isData ? 'data' : 'metadata'} ${point}: metadata ${metadataState}, data ${dataState}: ${found}`;
        return;
      }
    }
  }

  #stateProblem(metadata: MemoryDevice, data: MemoryDevice): string | undefined {
    try {
      const findings = [...checkThin(metadata)];
      if (findings.length > 0) return `check: ${findings[0]!.message}`;
      const found = readVolumes(metadata, data, this.#shape);
      const problems = [this.#now, this.#next].filter((each) => each !== undefined).map((each) => wrongIn(found, each));
      if (problems.some((problem) => problem === undefined)) return undefined;
      return problems.join('; or ');
    } catch (error) {
      return `opening it: ${textOf(error)}`;
    }
  }
}

/** All volumes as an open pool shows them. */
function readVolumes(metadata: BlockDevice, data: BlockDevice, shape: ThinVolumeOptions): Map<number, Uint32Array> {
  const pool = ThinPool.open({
    metadata,
    data: new BlockData(data),
    readOnly: true,
    cacheBlocks: 64,
    mappingCacheSlots: 16,
  });
  const found = new Map<number, Uint32Array>();
  for (const { id } of pool.devices()) {
    const words = new Uint32Array(SIZE / 4);
    void pool.thin(id, shape).read(0, new Uint8Array(words.buffer));
    found.set(id, words);
  }
  return found;
}

function wrongIn(found: Map<number, Uint32Array>, wanted: CrashVolumes): string | undefined {
  const ids = [[...found.keys()], [...wanted.keys()]].map((list) => list.sort((a, b) => a - b).join(' '));
  if (ids[0] !== ids[1]) return `volumes ${ids[0]} are there, ${ids[1]} are wanted`;
  for (const [id, volume] of wanted) {
    const words = found.get(id)!;
    const sector = volume.wrongSector(words);
    if (sector >= 0)
      return `volume ${id}, sector ${sector} shows ${words[sector * 128]}, of ${volume.describe(sector)} one is wanted`;
  }
  return undefined;
}

/** Everything that a flush has answered is there, anything else is old or new sector by sector, and no volume shows another one's data. */
export const CRASH_POOL: Campaign = {
  name: 'crash-pool',
  states: 'crash states of two disks',
  hangSeconds: 120,
  ci: { states: 5000 },
  run: async (run: Run) => {
    const each = randomPoolCase(run.random, 30, 16);
    const { nrStates, nrWaited, problem } = await crashPool(each);
    run.count(nrStates);
    run.note('writes that waited', nrWaited);
    if (each.originSectors > 0) run.note('pools with an external origin');
    if (problem === undefined) return;
    const fails = async (script: readonly PoolStep[]) => (await crashPool({ ...each, script })).problem !== undefined;
    const script = await shrinkScript(each.script, fails, 150);
    const last = await crashPool({ ...each, script });
    throw new Failure(last.problem ?? problem, { ...each, script });
  },
};
