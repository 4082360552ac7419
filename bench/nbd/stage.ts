import { closeSync, copyFileSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'persistent-data/pool';
import { ControlClient, controlSocketPath } from 'persistent-data/pool-server';
import { run, runPdata, ServerProcess } from './server-process.ts';

/** Sizes of a measurement. */
export interface Sizes {
  /** Repetitions. */
  readonly runs: number;
  /** Of each run. */
  readonly seconds: number;
  /** Of the volume and of the peer's image. */
  readonly sizeBytes: number;
  /** Mappings of a large volume. */
  readonly nrMappings: number;
  /** Snapshots of snapshots. */
  readonly chain: number;
}

/** An export to load, and what to do afterwards. */
export interface Subject {
  readonly uri: string;
  readonly server: ServerProcess;
  readonly end: () => Promise<void>;
}

/** What there is before a run: a full image, an empty one, a full one with a snapshot, an empty one over a full one, and a full one that is written through. */
export type Condition = 'full' | 'empty' | 'snapshot' | 'backing' | 'writethrough';

const BLOCK = 65_536;
/** The volume that is full from the beginning. */
export const DISK = 'disk';
const POOL_BYTES = 64 * 2 ** 30;

/** A folder for the time of a benchmark, with a served pool and qcow2 images of the same content, all in the page cache. */
export class Stage {
  readonly sizes: Sizes;
  readonly folder: string;
  readonly server: ServerProcess;
  readonly control: ControlClient;
  #nrVolumes = 0;
  #peer: ServerProcess | undefined;

  private constructor(sizes: Sizes, folder: string, server: ServerProcess, control: ControlClient) {
    this.sizes = sizes;
    this.folder = folder;
    this.server = server;
    this.control = control;
  }

  static async open(sizes: Sizes, where = tmpdir()): Promise<Stage> {
    const folder = mkdtempSync(join(where, 'pdata-bench-nbd-'));
    try {
      const [raw, pool] = [join(folder, 'raw'), join(folder, 'pool')];
      writeNoise(raw, sizes.sizeBytes);
      run('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', raw, join(folder, 'full.qcow2')]);
      copyFileSync(join(folder, 'full.qcow2'), join(folder, 'steady.qcow2'));
      runPdata(['pool', 'create', pool, '--size', `${POOL_BYTES}`, '--block-size', '64K']);
      runPdata(['volume', 'import', pool, DISK, raw]);
      rmSync(raw);
      run('sync', ['-f', folder]);
      const server = await ServerProcess.pdata(pool, join(folder, 'ours.sock'));
      return new Stage(sizes, folder, server, await controlOf(pool));
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      throw error;
    }
  }

  /** Our export in such a condition. A backing file is to us the same as a snapshot; writing through is what FUA does. */
  async ours(condition: Condition): Promise<Subject> {
    const end = () => Promise.resolve();
    const { server, control, sizes } = this;
    const name = `w${this.#nrVolumes++}`;
    if (condition === 'full' || condition === 'writethrough') return { uri: server.uri(DISK), server, end };
    if (condition === 'empty') await control.call('create', { name, sizeBytes: sizes.sizeBytes });
    else await control.call('snapshot', { origin: DISK, name });
    return { uri: server.uri(condition === 'empty' ? name : DISK), server, end };
  }

  /** The peer's export, of an image of its own unless it is to be full. */
  async peer(condition: Condition): Promise<Subject> {
    if (condition === 'full') {
      this.#peer ??= await ServerProcess.qemu(
        join(this.folder, 'steady.qcow2'),
        join(this.folder, 'q.sock'),
        'writeback',
      );
      return { uri: this.#peer.uri(), server: this.#peer, end: () => Promise.resolve() };
    }
    const [full, image] = [join(this.folder, 'full.qcow2'), join(this.folder, 'w.qcow2')];
    rmSync(image, { force: true });
    const create = ['create', '-q', '-f', 'qcow2', '-o', `cluster_size=${BLOCK}`];
    if (condition === 'empty') run('qemu-img', [...create, image, `${this.sizes.sizeBytes}`]);
    else if (condition === 'backing') run('qemu-img', [...create, '-b', full, '-F', 'qcow2', image]);
    else copyFileSync(full, image);
    if (condition === 'snapshot') run('qemu-img', ['snapshot', '-c', 's1', image]);
    run('sync', [image]);
    const cache = condition === 'writethrough' ? 'writethrough' : 'writeback';
    const server = await ServerProcess.qemu(image, join(this.folder, 'w.sock'), cache);
    const end = async (): Promise<void> => {
      await server.stop();
      rmSync(image);
    };
    return { uri: server.uri(), server, end };
  }

  /** Ends the servers and removes everything. */
  async close(): Promise<void> {
    this.control.close();
    await this.server.stop();
    await this.#peer?.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export async function controlOf(pool: string): Promise<ControlClient> {
  const control = await ControlClient.connect(controlSocketPath(pool));
  if (control === undefined) throw new Error(`Cannot measure: nobody serves ${pool}`);
  return control;
}

/**
 * Makes a pool with a volume of so many mappings, `large`, and a volume `small` without any. Its data is sparse: nobody has written it.
 */
export async function makeLargePool(folder: string, nrMappings: number): Promise<void> {
  const sizeBytes = nrMappings * BLOCK;
  const pool = Pool.create(folder, { sizeBytes: sizeBytes + 2 ** 30 });
  await pool.createVolume('large', { sizeBytes });
  await pool.createVolume('small', { sizeBytes: 2 ** 30 });
  await pool.thinPool.resizeMetadata(Math.ceil(nrMappings / 80) + 16_384);
  const { metadata } = pool.thinPool;
  const thin = metadata.openThin(pool.record('large').id);
  for (let i = 0; i < nrMappings; i++) thin.insert(i, metadata.allocateDataBlock());
  thin.close();
  await pool.close();
}

/** Fills a file with bytes of which no block is zero. */
function writeNoise(path: string, sizeBytes: number): void {
  const chunk = new Uint8Array(2 ** 20);
  for (let i = 0, x = 1; i < chunk.length; i++) {
    x = (Math.imul(x, 1_664_525) + 1_013_904_223) >>> 0;
    chunk[i] = x >>> 24;
  }
  const file = openSync(path, 'wx');
  try {
    for (let at = 0; at < sizeBytes; at += chunk.length) {
      chunk[0] = at / chunk.length;
      writeSync(file, chunk);
    }
  } finally {
    closeSync(file);
  }
}
