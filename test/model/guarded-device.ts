import { type BlockDevice, MemoryDevice } from '../../packages/persistent-data/src/io/index.ts';

/**
 * A device in memory that refuses to overwrite a block that a superblock on the disk still refers to, whoever asks and however well the rest
 * goes; and whose asynchronous flushes end when they are told to.
 */
export class GuardedDevice implements BlockDevice {
  readonly readOnly = false;
  readonly memory: MemoryDevice;
  /** Counts of blocks, by version of the superblock that may be found on the disk: block 0 is guarded by none. */
  readonly guards = new Set<ArrayLike<number>>();
  #held: (() => void)[] = [];

  constructor(nrBlocks: number) {
    this.memory = new MemoryDevice({ nrBlocks });
  }

  get nrBlocks(): number {
    return this.memory.nrBlocks;
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    this.memory.read(begin, buffers);
  }

  write(begin: number, buffers: readonly Uint8Array[]): void {
    const count = buffers.reduce((sum, buffer) => sum + buffer.length / 4096, 0);
    for (let b = Math.max(begin, 1); b < begin + count; b++) {
      for (const guard of this.guards) {
        if ((guard[b] ?? 0) > 0) throw new Error(`block ${b} is overwritten, which a superblock on the disk refers to`);
      }
    }
    this.memory.write(begin, buffers);
  }

  flush(): void {}

  async flushAsync(): Promise<void> {
    await new Promise<void>((resolve) => this.#held.push(resolve));
  }

  resize(nrBlocks: number): void {
    this.memory.resize(nrBlocks);
  }

  close(): void {}

  /** Lets the oldest flush that is held end, and what waits for it go on. */
  async finishFlush(): Promise<void> {
    this.#held.shift()?.();
    for (let turn = 0; turn < 8; turn++) await Promise.resolve();
  }

  /** Forgets the flushes that are held: whoever waits for them waits for ever. */
  abandon(): void {
    this.#held = [];
  }
}
