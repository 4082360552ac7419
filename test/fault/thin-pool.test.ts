/** Each call to either disk of a thin pool fails once, or from then on: the right error, nothing that was flushed is lost, nothing is made up. */

import { AssertionError, PersistentDataError } from 'persistent-data/base';
import { KeptVersions } from 'persistent-data/disk-space-map';
import { MemoryDevice } from 'persistent-data/io';
import { type CallKind, type Fault, FaultDevice } from 'persistent-data/testing';
import { checkThin } from 'persistent-data/thin';
import { BlockData, ThinPool, type ThinVolume } from 'persistent-data/thin-pool';
import { afterEach, expect, test, vi } from 'vitest';
import { CrashVolume, type CrashVolumes } from '../campaign/crash-pool-model.ts';
import { BLOCK_SECTORS, NR_SECTORS, type PoolStep, SECTOR } from '../campaign/crash-pool-script.ts';
import { CALL_KINDS, faultsAt } from '../campaign/faults.ts';

const BLOCK = BLOCK_SECTORS * SECTOR;

afterEach(() => vi.restoreAllMocks());

const SEED = Number(process.env.PDATA_SEED ?? 0);

const SCRIPT: readonly PoolStep[] = [
  ['create', 0],
  ['write', 0, 0, 128],
  ['write', 0, 130, 3],
  ['flush', 0],
  ['create', 1],
  ['snapshot', 2, 0],
  ['write', 0, 5, 2],
  ['write', 2, 600, 9],
  ['flush', 0],
  ['discard', 0, 0, 2],
  ['write', 1, 0, 128],
  ['growData', 2],
  ['zero', 1, 100, 40],
  ['sync'],
  ['hold'],
  ['write', 1, 200, 4],
  ['rollback', 0, 2],
  ['growMetadata', 10],
  ['write', 0, 7, 1],
  ['merge', 1, 2],
  ['flush', 0],
  ['delete', 0],
  ['write', 1, 0, 1],
  ['flush', 1],
];

/** Plays the script on disks that fail, and knows what must be there. */
class FaultyPool {
  readonly disks = { metadata: new MemoryDevice({ nrBlocks: 64 }), data: new MemoryDevice({ nrBlocks: 16 * 16 }) };
  readonly devices: { metadata: FaultDevice; data: FaultDevice };
  readonly errors: unknown[] = [];
  readonly #volumes = new Map<number, ThinVolume>();
  #pool: ThinPool;
  #stamp = 1;
  /** Whether the disk could not tell what a failed write has left. */
  #isUnsure = false;
  /** What may be there: more than one after an operation that failed. */
  #allowed: CrashVolumes[] = [new Map()];

  constructor(faults: { readonly metadata?: Fault; readonly data?: Fault }) {
    ThinPool.create({ metadata: this.disks.metadata, data: new BlockData(this.disks.data), commitPeriodMs: 0 });
    const wrap = (device: MemoryDevice, fault?: Fault) => new FaultDevice(device, fault ? { faults: [fault] } : {});
    this.devices = {
      metadata: wrap(this.disks.metadata, faults.metadata),
      data: wrap(this.disks.data, faults.data),
    };
    this.#pool = this.#open(this.devices.metadata, this.devices.data);
  }

  #open(metadata: FaultDevice | MemoryDevice, data: FaultDevice | MemoryDevice): ThinPool {
    const options = { metadata, data: new BlockData(data, { holes: 'zero' as const }) };
    return ThinPool.open({
      ...options,
      commitPeriodMs: 0,
      errorIfNoSpace: true,
      cacheBlocks: 32,
      mappingCacheSlots: 16,
    });
  }

  async play(): Promise<void> {
    for (const step of SCRIPT) {
      if (this.#allowed.length > 1 || this.#isUnsure) break;
      try {
        await this.#step(step);
      } catch (error) {
        this.errors.push(error);
      }
    }
    try {
      await this.#pool.close();
    } catch (error) {
      this.errors.push(error);
    }
  }

  get mode(): string {
    return this.#pool.info.mode;
  }

  /** Opens what the disks hold, without faults. */
  problem(): string | undefined {
    const findings = [...checkThin(this.disks.metadata)].filter(({ message }) => !/needs_check/.test(message));
    if (findings.length > 0) return `check: ${findings[0]!.message}`;
    const pool = this.#open(this.disks.metadata.fork(), this.disks.data.fork());
    const found = new Map<number, Uint32Array>();
    for (const { id } of pool.devices()) {
      const words = new Uint32Array(NR_SECTORS * 128);
      void pool.thin(id, { sizeBytes: NR_SECTORS * SECTOR }).read(0, new Uint8Array(words.buffer));
      found.set(id, words);
    }
    const ids = [...found.keys()].join();
    const problems = this.#allowed.map((wanted) => {
      const wantedIds = [...wanted.keys()].sort().join();
      if (wantedIds !== ids) return `volumes ${ids}, not ${wantedIds}`;
      for (const [id, volume] of wanted) {
        const sector = volume.wrongSector(found.get(id)!);
        if (sector >= 0)
          return `volume ${id}, sector ${sector}: ${found.get(id)![sector * 128]}, not ${volume.describe(sector)}`;
      }
      return undefined;
    });
    return problems.includes(undefined) ? undefined : problems.join('; or ');
  }

  get #now(): CrashVolumes {
    return this.#allowed[0]!;
  }

  async #step(step: PoolStep): Promise<void> {
    const [verb, a = 0, b = 0, c = 0] = step as readonly [PoolStep[0], number?, number?, number?];
    const now = this.#now;
    switch (verb) {
      case 'write':
      case 'zero':
        return this.#write(verb, a, b, c);
      case 'discard':
        for (let at = b * BLOCK_SECTORS; at < (b + c) * BLOCK_SECTORS; at++) now.get(a)?.write(at, 0);
        return await this.#volumes.get(a)?.discard(b * BLOCK, c * BLOCK);
      case 'flush':
        return this.#flush(() => this.#volumes.get(a)?.flush(), [a]);
      case 'sync':
        return this.#flush(() => this.#pool.flush(), [...now.keys()]);
      case 'growData':
        return this.#pool.resizeData(this.devices.data.nrBlocks * 4096 + a * BLOCK);
      case 'growMetadata':
        return this.#pool.resizeMetadata(this.devices.metadata.nrBlocks + a);
      case 'hold':
        return this.#pool.reserveMetadataSnapshot();
      case 'create':
        return this.#operate(new Map(now).set(a, CrashVolume.empty(NR_SECTORS)), () => this.#pool.createThin(a));
      case 'snapshot':
        if (!now.has(b)) return;
        return this.#operate(new Map(now).set(a, now.get(b)!.copy()), () =>
          this.#pool.createSnapshot({ snapshot: a, origin: b }),
        );
      case 'rollback':
      case 'merge': {
        if (!now.has(a) || !now.has(b)) return;
        const next = new Map(now).set(a, now.get(b)!.copy());
        if (verb === 'rollback') return this.#operate(next, () => this.#pool.rollbackThin({ thin: a, snapshot: b }));
        next.delete(b);
        this.#close(b);
        return this.#operate(next, () => this.#pool.mergeSnapshot({ snapshot: b, origin: a }));
      }
      case 'delete': {
        const next = new Map(now);
        next.delete(a);
        this.#close(a);
        return this.#operate(next, () => this.#pool.deleteThin(a));
      }
    }
  }

  #close(id: number): void {
    this.#volumes.get(id)?.close();
    this.#volumes.delete(id);
  }

  async #write(verb: 'write' | 'zero', id: number, sector: number, count: number): Promise<void> {
    const model = this.#now.get(id);
    const volume = this.#volumes.get(id);
    if (model === undefined || volume === undefined) return;
    const words = new Uint32Array(count * 128);
    for (let i = 0; i < count; i++) {
      const stamp = verb === 'zero' ? 0 : this.#stamp++;
      words.fill(stamp, i * 128, i * 128 + 128);
      model.write(sector + i, stamp);
    }
    try {
      if (verb === 'write') await volume.write(sector * SECTOR, new Uint8Array(words.buffer));
      else await volume.writeZeroes(sector * SECTOR, count * SECTOR);
    } catch (error) {
      // Each sector is old or new: the disk tells which.
      const found = new Uint32Array(count * 128);
      this.#isUnsure = true;
      await volume.read(sector * SECTOR, new Uint8Array(found.buffer));
      this.#isUnsure = false;
      for (let i = 0; i < count; i++) model.write(sector + i, found[i * 128]!);
      throw error;
    }
  }

  async #flush(flush: () => Promise<void> | undefined, ids: readonly number[]): Promise<void> {
    const marks = ids.map((id) => [this.#now.get(id), this.#now.get(id)?.mark()] as const);
    await flush();
    for (const [volume, mark] of marks) if (mark !== undefined) volume?.acknowledge(mark);
  }

  async #operate(next: CrashVolumes, operation: () => Promise<void>): Promise<void> {
    const now = this.#now;
    const marks = [...next.values()].map((volume) => [volume, volume.mark()] as const);
    this.#allowed = [now, next];
    await operation();
    this.#allowed = [next];
    for (const [volume, mark] of marks) volume.acknowledge(mark);
    for (const id of next.keys()) {
      if (!this.#volumes.has(id)) this.#volumes.set(id, this.#pool.thin(id, { sizeBytes: NR_SECTORS * SECTOR }));
    }
  }
}

test('with nothing wrong all is there', async () => {
  const pool = new FaultyPool({});
  await pool.play();
  expect(pool.errors).toEqual([]);
  expect(pool.problem()).toBeUndefined();
});

/** Fails each call to one disk. Answers what is wrong first, and how many scripts met an error. */
async function failEach(disk: 'metadata' | 'data'): Promise<{ problem: string | undefined; nrFailed: number }> {
  const whole = new FaultyPool({});
  await whole.play();
  let nrFailed = 0;
  for (const kind of CALL_KINDS) {
    const nrCalls = whole.devices[disk].calls[kind as CallKind];
    // Reads and writes are many and alike: every third, another third with another seed.
    const isMany = kind === 'read' || kind === 'write';
    for (let at = isMany ? SEED % 3 : 0; at < nrCalls; at += isMany ? 3 : 1) {
      for (const fault of faultsAt(kind, at)) {
        const { errors, problem } = await playWith({ [disk]: fault });
        const wrong = errors.find(
          (error) => !(error instanceof PersistentDataError) || error instanceof AssertionError,
        );
        const what = wrong === undefined ? problem : `an error of no known kind: ${wrong}`;
        if (what !== undefined) return { problem: `${disk}: ${JSON.stringify(fault)}: ${what}`, nrFailed };
        if (errors.length > 0) nrFailed++;
      }
    }
  }
  return { problem: undefined, nrFailed };
}

/** Plays the script with one fault; what was thrown, and what is wrong with the disks then. */
async function playWith(
  faults: ConstructorParameters<typeof FaultyPool>[0],
): Promise<{ errors: readonly unknown[]; problem: string | undefined }> {
  let pool: FaultyPool;
  try {
    pool = new FaultyPool(faults);
  } catch (error) {
    return { errors: [error], problem: undefined };
  }
  await pool.play();
  return { errors: pool.errors, problem: pool.problem() };
}

test.each(['metadata', 'data'] as const)(
  'the %s disk fails at any call (npm run test:fault -- --seed N)',
  async (disk) => {
    const { problem, nrFailed } = await failEach(disk);
    expect(problem).toBeUndefined();
    expect(nrFailed).toBeGreaterThan(20);
  },
  120_000,
);

test('negative control: a failed flush of the data that nobody hears of is caught', async () => {
  const { play } = FaultyPool.prototype;
  vi.spyOn(FaultyPool.prototype, 'play').mockImplementation(function (this: FaultyPool) {
    const { data } = this.devices;
    const { flushAsync } = data;
    const flush = data.flush.bind(data);
    const deaf = (): void => {
      try {
        flush();
      } catch {
        // The program goes on.
      }
    };
    Object.assign(data, { flush: deaf, flushAsync: () => flushAsync().catch(() => undefined) });
    return play.call(this);
  });
  expect((await failEach('data')).problem).toMatch(/sector/);
}, 120_000);

test('negative control: data blocks of the last commit that are given out are caught', async () => {
  vi.spyOn(KeptVersions.prototype, 'with').mockReturnValue([]);
  expect((await failEach('metadata')).problem).toBeDefined();
}, 120_000);
