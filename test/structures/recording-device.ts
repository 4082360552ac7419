import type { BlockDevice } from '../../packages/persistent-data/src/io/index.ts';

/** One call that reached the device: `read 5+2` are blocks 5 and 6, with one call. */
export type DeviceCall = `${'read' | 'write'} ${number}+${number}` | 'flush' | `resize ${number}`;

const BLOCK_SIZE = 4096;

/** Another device, with a list of the calls that changed or read it. */
export class RecordingDevice implements BlockDevice {
  /** Calls so far, oldest first. Empty it at will. */
  calls: DeviceCall[] = [];
  readonly #inner: BlockDevice;

  constructor(inner: BlockDevice) {
    this.#inner = inner;
  }

  get nrBlocks(): number {
    return this.#inner.nrBlocks;
  }

  get readOnly(): boolean {
    return this.#inner.readOnly;
  }

  /** The calls so far, which are forgotten. */
  take(): DeviceCall[] {
    const { calls } = this;
    this.calls = [];
    return calls;
  }

  /** Only those that write or flush. */
  takeWrites(): DeviceCall[] {
    return this.take().filter((call) => !call.startsWith('read'));
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    this.calls.push(`read ${begin}+${length(buffers)}`);
    this.#inner.read(begin, buffers);
  }

  write(begin: number, buffers: readonly Uint8Array[]): void {
    this.calls.push(`write ${begin}+${length(buffers)}`);
    this.#inner.write(begin, buffers);
  }

  flush(): void {
    this.calls.push('flush');
    this.#inner.flush();
  }

  async flushAsync(): Promise<void> {
    this.calls.push('flush');
    await this.#inner.flushAsync?.();
  }

  resize(nrBlocks: number): void {
    this.calls.push(`resize ${nrBlocks}`);
    this.#inner.resize?.(nrBlocks);
  }

  close(): void {
    this.#inner.close();
  }
}

function length(buffers: readonly Uint8Array[]): number {
  return buffers.reduce((sum, buffer) => sum + buffer.byteLength / BLOCK_SIZE, 0);
}
