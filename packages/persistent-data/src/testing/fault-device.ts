import type { DeviceError, NoSpaceError } from '../base/index.ts';
import {
  BLOCK_SIZE,
  type BlockDevice,
  checkOpen,
  checkRange,
  checkRun,
  deviceError,
  type WrapperOptions,
} from '../io/index.ts';
import { type CallKind, type Fault, isDue } from './fault.ts';

type FaultOf<Kind extends Fault['kind']> = Extract<Fault, { kind: Kind }>;

/** Faults that let a write pass as it is, or stop all of it. */
const WHOLE_CALL_FAULTS: ReadonlySet<Fault['kind']> = new Set(['error', 'lostWrite', 'droppedFlush']);

/** How a {@link FaultDevice} fails. */
export interface FaultDeviceOptions extends WrapperOptions {
  readonly faults?: readonly Fault[];
}

/**
 * Another device that fails on demand: see docs/crash-model.md, "A disk that fails". Counts its calls, so that a campaign
 * runs a script once without a fault and then once for each call with a fault at that call. A call with arguments that
 * are refused anyway is not counted.
 *
 * The device under it is the disk: what that holds is what is found when the disk is opened again.
 */
export class FaultDevice implements BlockDevice {
  readonly flushAsync: () => Promise<void>;
  readonly resize?: (nrBlocks: number) => void;
  readonly discard?: (begin: number, count: number) => void;
  readonly #inner: BlockDevice;
  readonly #ownsInner: boolean;
  readonly #calls: Record<CallKind, number> = { read: 0, write: 0, flush: 0, resize: 0 };
  readonly #faults = new Set<Fault>();
  readonly #shown = new Set<Fault>();
  /** For `noSpace`: blocks that were given room here. */
  readonly #allocated = new Set<number>();
  /** For `staleRead`: what blocks held before they were last written. */
  readonly #former = new Map<number, Uint8Array>();
  /** For `failedFlush`: what blocks held when the last flush succeeded. */
  #unflushed = new Map<number, Uint8Array>();
  /** After a failed flush: what was lost but is still shown. */
  readonly #cached = new Map<number, Uint8Array>();
  #closed = false;

  constructor(inner: BlockDevice, { faults = [], ownsInner = false }: FaultDeviceOptions = {}) {
    this.#inner = inner;
    this.#ownsInner = ownsInner;
    for (const fault of faults) this.#faults.add(fault);
    this.flushAsync = () => this.#flushAsync();
    if (inner.resize !== undefined) this.resize = (nrBlocks) => this.#resize(nrBlocks);
    if (inner.discard !== undefined) this.discard = (begin, count) => this.#discard(begin, count);
  }

  get nrBlocks(): number {
    return this.#inner.nrBlocks;
  }

  get readOnly(): boolean {
    return this.#inner.readOnly;
  }

  /** How many calls of each kind there were so far, failed ones included. */
  get calls(): Readonly<Record<CallKind, number>> {
    return { ...this.#calls };
  }

  /** The faults that have shown themselves so far. */
  get shown(): readonly Fault[] {
    return [...this.#shown];
  }

  /** Adds a fault from now on. Its `at` counts from the first call of this device, as {@link calls} does. */
  inject(fault: Fault): void {
    this.#faults.add(fault);
  }

  /** Ends all faults. What they did to the disk stays. */
  heal(): void {
    this.#faults.clear();
  }

  read(begin: number, buffers: readonly Uint8Array[]): void {
    checkOpen(this.#closed, 'read');
    const count = checkRun('read', begin, buffers, this.nrBlocks);
    const index = this.#count('read', `read ${count} blocks at block ${begin}`);
    const partial = this.#due('partialRead', index);
    if (partial !== undefined && partial.blocks < count) {
      forEachBlock(begin, buffers, (block, bytes) => {
        if (block < begin + partial.blocks) this.#inner.read(block, [bytes]);
      });
      throw deviceError(`read ${count} blocks at block ${begin}`, systemError('EIO'));
    }
    this.#inner.read(begin, buffers);
    const isStale = this.#due('staleRead', index) !== undefined;
    forEachBlock(begin, buffers, (block, bytes) => {
      const cached = this.#cached.get(block);
      if (cached !== undefined) bytes.set(cached);
      const former = isStale ? this.#former.get(block) : undefined;
      if (former !== undefined) bytes.set(former);
      this.#rot(block, bytes);
    });
  }

  write(begin: number, buffers: readonly Uint8Array[]): void {
    checkOpen(this.#closed, 'write');
    const count = checkRun('write', begin, buffers, this.nrBlocks);
    const action = `write ${count} blocks at block ${begin}`;
    const index = this.#count('write', action);
    if (this.#due('lostWrite', index) !== undefined) return;
    if (this.#passesWritesOn()) {
      this.#inner.write(begin, buffers);
      return;
    }
    const misdirected = this.#due('misdirectedWrite', index);
    const to = misdirected?.to ?? begin;
    let nrLeft = this.nrBlocks - to;
    let failure: DeviceError | NoSpaceError | undefined;
    const partial = this.#due('partialWrite', index);
    if (partial !== undefined && partial.blocks < count) {
      nrLeft = Math.min(nrLeft, partial.blocks);
      failure = deviceError(action, systemError('EIO'));
    }
    forEachBlock(to, buffers, (block, bytes) => {
      if (nrLeft <= 0) return;
      nrLeft -= 1;
      if (this.#allocate(block)) this.#writeBlock(block, bytes);
      else {
        nrLeft = 0;
        failure = deviceError(action, systemError('ENOSPC'));
      }
    });
    if (failure !== undefined) throw failure;
  }

  flush(): void {
    checkOpen(this.#closed, 'flush');
    if (!this.#beginFlush()) return;
    this.#inner.flush();
    this.#unflushed.clear();
  }

  async #flushAsync(): Promise<void> {
    checkOpen(this.#closed, 'flush');
    if (!this.#beginFlush()) return;
    const covered = this.#unflushed;
    this.#unflushed = new Map();
    try {
      await (this.#inner.flushAsync?.() ?? this.#inner.flush());
    } catch (error) {
      for (const [block, bytes] of covered) this.#unflushed.set(block, bytes);
      throw error;
    }
  }

  #resize(nrBlocks: number): void {
    checkOpen(this.#closed, 'resize');
    this.#count('resize', `resize to ${nrBlocks} blocks`);
    this.#inner.resize?.(nrBlocks);
    for (const map of [this.#former, this.#unflushed, this.#cached]) {
      for (const block of map.keys()) if (block >= this.nrBlocks) map.delete(block);
    }
  }

  #discard(begin: number, count: number): void {
    checkOpen(this.#closed, 'discard');
    checkRange('discard', begin, count, this.nrBlocks);
    for (let block = begin; block < begin + count; ++block) this.#cached.delete(block);
    this.#inner.discard?.(begin, count);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#ownsInner) this.#inner.close();
  }

  /** Counts a call and throws where an error is due. Returns the number of the call. */
  #count(call: CallKind, action: string): number {
    const index = this.#calls[call]++;
    for (const fault of this.#faults) {
      if (fault.kind !== 'error' || fault.call !== call || !isDue(fault, index)) continue;
      this.#shown.add(fault);
      throw deviceError(action, systemError(fault.code ?? 'EIO'));
    }
    return index;
  }

  /** The fault of a kind that is due at a call, now marked as shown. */
  #due<
    Kind extends
      | 'partialRead'
      | 'lostWrite'
      | 'misdirectedWrite'
      | 'partialWrite'
      | 'staleRead'
      | 'failedFlush'
      | 'droppedFlush',
  >(kind: Kind, index: number): FaultOf<Kind> | undefined {
    for (const fault of this.#faults) {
      if (fault.kind !== kind || !isDue(fault as FaultOf<Kind>, index)) continue;
      this.#shown.add(fault);
      return fault as FaultOf<Kind>;
    }
    return undefined;
  }

  /** Whether no fault needs to see the single blocks of a write: then the call reaches the other device as it is. */
  #passesWritesOn(): boolean {
    for (const { kind } of this.#faults) if (!WHOLE_CALL_FAULTS.has(kind)) return false;
    return this.#cached.size === 0;
  }

  #has(kind: Fault['kind']): boolean {
    for (const fault of this.#faults) if (fault.kind === kind) return true;
    return false;
  }

  /** Returns whether the flush is to be passed on. */
  #beginFlush(): boolean {
    const index = this.#count('flush', 'flush');
    if (this.#due('failedFlush', index) !== undefined) {
      this.#loseUnflushed();
      throw deviceError('flush', systemError('EIO'));
    }
    return this.#due('droppedFlush', index) === undefined;
  }

  #loseUnflushed(): void {
    for (const [block, bytes] of this.#unflushed) {
      this.#cached.set(block, this.#content(block));
      this.#inner.write(block, [bytes]);
    }
    this.#unflushed.clear();
  }

  /** What this device shows of a block, without faults. */
  #content(block: number): Uint8Array {
    const bytes = new Uint8Array(BLOCK_SIZE);
    this.#inner.read(block, [bytes]);
    return bytes;
  }

  #writeBlock(block: number, bytes: Uint8Array): void {
    const keepsFormer = this.#has('staleRead');
    const keepsUnflushed = this.#has('failedFlush') && !this.#unflushed.has(block);
    if (keepsFormer || keepsUnflushed) {
      const content = this.#content(block);
      if (keepsFormer) this.#former.set(block, this.#cached.get(block) ?? content);
      if (keepsUnflushed) this.#unflushed.set(block, content);
    }
    this.#cached.delete(block);
    for (const fault of this.#faults) if (fault.kind === 'bitRot' && fault.block === block) this.#faults.delete(fault);
    this.#inner.write(block, [bytes]);
  }

  #rot(block: number, bytes: Uint8Array): void {
    for (const fault of this.#faults) {
      if (fault.kind !== 'bitRot' || fault.block !== block) continue;
      this.#shown.add(fault);
      bytes[fault.bit >> 3] = (bytes[fault.bit >> 3] as number) ^ (1 << (fault.bit & 7));
    }
  }

  /** Takes room for a block that has none. Returns false when there is no room left. */
  #allocate(block: number): boolean {
    for (const fault of this.#faults) {
      if (fault.kind !== 'noSpace' || this.#allocated.has(block)) continue;
      if (this.#content(block).some((byte) => byte !== 0)) continue;
      if (this.#allocated.size >= fault.blocks) {
        this.#shown.add(fault);
        return false;
      }
      this.#allocated.add(block);
    }
    return true;
  }
}

function systemError(code: string): Error {
  return Object.assign(new Error(`${code}: injected fault`), { code });
}

/** Calls `visit` for each 4096-byte block of a run, with its number and its part of the buffers. */
function forEachBlock(
  begin: number,
  buffers: readonly Uint8Array[],
  visit: (block: number, bytes: Uint8Array) => void,
): void {
  let block = begin;
  for (const buffer of buffers) {
    for (let at = 0; at < buffer.byteLength; at += BLOCK_SIZE, block += 1)
      visit(block, buffer.subarray(at, at + BLOCK_SIZE));
  }
}
