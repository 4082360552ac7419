import { ReadOnlyError, StateError } from '../base/index.ts';
import { BLOCK_SIZE, type BlockDevice } from '../io/index.ts';
import { expectBytes, expectRejects, expectSame, expectThat, expectThrows, type TestFunction } from './expectation.ts';
import { Random } from './random.ts';

/** A device under test. */
export interface BlockDeviceSubject {
  readonly device: BlockDevice;
  /** Opens the same disk again, after `device` was flushed and closed. Absent: what is kept then is not tested. */
  reopen?(): BlockDevice;
  /** Gives back what the device needed. Called when a test is over, passed or failed. */
  dispose?(): void;
}

/** What a device can do. The suite tests what it can, and that it does not claim what it cannot. */
export interface BlockDeviceCapabilities {
  /** Default: true. */
  readonly writable?: boolean;
  /** It has `resize`. Default: true. */
  readonly resizable?: boolean;
  /** It has `flushAsync`. Default: true. */
  readonly flushesAsync?: boolean;
  /** It has `discard`. Default: false. */
  readonly discards?: boolean;
}

/** What {@link blockDeviceSuite} needs. */
export interface BlockDeviceSuiteOptions {
  readonly test: TestFunction;
  /** What the device is called in the titles of the tests. */
  readonly name: string;
  /** Makes a device that holds `image`, a multiple of 4096 bytes, at most 1 MiB. */
  make(image: Uint8Array): BlockDeviceSubject;
  readonly capabilities?: BlockDeviceCapabilities;
}

type Case = (subject: BlockDeviceSubject, image: Uint8Array) => void | Promise<void>;

const NR_BLOCKS = 24;

/**
 * The contract of `BlockDevice`, as tests: registers some 15 of them with `test`. For anyone who writes a device.
 *
 * @example
 * ```ts
 * const make = (image: Uint8Array) => ({ device: MemoryDevice.from(image) });
 * blockDeviceSuite({ test, name: 'MemoryDevice', make, capabilities: { discards: true } });
 * ```
 */
export function blockDeviceSuite({ test, name, make, capabilities = {} }: BlockDeviceSuiteOptions): void {
  const { writable = true, resizable = true, flushesAsync = true, discards = false } = capabilities;
  const add = (promise: string, body: Case) => {
    test(`${name} ${promise}`, async () => {
      const image = new Random(1).bytes(NR_BLOCKS * BLOCK_SIZE);
      const subject = make(image.slice());
      try {
        await body(subject, image);
        subject.device.close();
      } finally {
        subject.dispose?.();
      }
    });
  };
  add('has what it says and nothing else', ({ device }) => {
    expectSame(device.nrBlocks, NR_BLOCKS, 'nrBlocks');
    expectSame(device.readOnly, !writable, 'readOnly');
    expectSame(device.resize !== undefined, resizable, 'whether there is resize()');
    expectSame(device.flushAsync !== undefined, flushesAsync, 'whether there is flushAsync()');
    expectSame(device.discard !== undefined, discards, 'whether there is discard()');
  });
  addReadingCases(add);
  addClosingCases(add);
  if (writable) addWritingCases(add);
  else addReadOnlyCases(add);
  if (writable && resizable) addResizingCases(add);
  if (writable && discards) addDiscardingCases(add);
}

type Add = (promise: string, body: Case) => void;

/** The bytes of a run of blocks. */
function blocksOf(bytes: Uint8Array, begin: number, count: number): Uint8Array {
  return bytes.subarray(begin * BLOCK_SIZE, (begin + count) * BLOCK_SIZE);
}

/** Reads a run into one buffer that is full of other bytes before. */
function readRun(device: BlockDevice, begin: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count * BLOCK_SIZE).fill(0xa5);
  device.read(begin, [bytes]);
  return bytes;
}

/** Checks that a device holds exactly `image`. */
function expectDevice(device: BlockDevice, image: Uint8Array, what: string): void {
  expectSame(device.nrBlocks * BLOCK_SIZE, image.byteLength, 'the length of the device, in bytes,');
  expectBytes(readRun(device, 0, device.nrBlocks), image, what);
}

/** Cuts `bytes` into buffers of the given numbers of blocks. */
function cut(bytes: Uint8Array, counts: readonly number[]): Uint8Array[] {
  let begin = 0;
  return counts.map((count) => {
    begin += count;
    return blocksOf(bytes, begin - count, count);
  });
}

function addReadingCases(add: Add): void {
  add('reads a run into one buffer or many, of one block or many', ({ device }, image) => {
    for (const counts of [[1], [6], [1, 1, 1, 1, 1, 1], [2, 0, 3, 1]]) {
      for (const begin of [0, 7, NR_BLOCKS - counts.reduce((a, b) => a + b)]) {
        const count = counts.reduce((a, b) => a + b);
        const bytes = new Uint8Array(count * BLOCK_SIZE);
        device.read(begin, cut(bytes, counts));
        expectBytes(bytes, blocksOf(image, begin, count), `blocks ${begin} to ${begin + count}`);
      }
    }
  });
  add('reads into part of a larger memory, at any alignment, and changes nothing beside it', ({ device }, image) => {
    const memory = new Uint8Array(BLOCK_SIZE + 100).fill(0xa5);
    device.read(3, [memory.subarray(33, 33 + BLOCK_SIZE)]);
    expectBytes(memory.subarray(33, 33 + BLOCK_SIZE), blocksOf(image, 3, 1), 'the block');
    memory.fill(0xa5, 33, 33 + BLOCK_SIZE);
    expectThat(
      memory.every((byte) => byte === 0xa5),
      'bytes beside the buffer were changed',
    );
  });
  add('refuses a run that is not inside it, and a buffer that is no multiple of a block', ({ device }) => {
    const one = new Uint8Array(BLOCK_SIZE);
    for (const begin of [-1, NR_BLOCKS, NR_BLOCKS + 1, 0.5, Number.NaN, 2 ** 40]) {
      expectThrows(() => device.read(begin, [one]), RangeError, `reading block ${begin}`);
    }
    expectThrows(() => device.read(NR_BLOCKS - 1, [one, one]), RangeError, 'reading over the end');
    expectThrows(() => device.read(0, [one, new Uint8Array(100)]), RangeError, 'reading into 100 bytes');
  });
  add('does nothing for an empty run, also at its end', ({ device }) => {
    device.read(0, []);
    device.read(NR_BLOCKS, []);
    device.read(NR_BLOCKS, [new Uint8Array(0)]);
    expectThrows(() => device.read(NR_BLOCKS + 1, []), RangeError, 'an empty run beyond the end');
  });
}

function addClosingCases(add: Add): void {
  add('refuses every use after it was closed, except to close it again', async ({ device }) => {
    device.flush();
    device.close();
    device.close();
    const one = new Uint8Array(BLOCK_SIZE);
    expectThrows(() => device.read(0, [one]), StateError, 'reading');
    expectThrows(() => device.write(0, [one]), StateError, 'writing');
    expectThrows(() => device.flush(), StateError, 'flushing');
    if (device.resize) expectThrows(() => device.resize?.(NR_BLOCKS), StateError, 'resizing');
    if (device.discard) expectThrows(() => device.discard?.(0, 1), StateError, 'discarding');
    if (device.flushAsync === undefined) return;
    await expectRejects(() => device.flushAsync?.() ?? Promise.resolve(), StateError, 'flushing asynchronously');
  });
}

function addWritingCases(add: Add): void {
  add('reads what was written, and no other block is changed', ({ device }, image) => {
    const random = new Random(2);
    for (const counts of [[1], [5], [1, 1, 1], [2, 0, 3, 1]]) {
      const count = counts.reduce((a, b) => a + b);
      const begin = random.below(NR_BLOCKS - count + 1);
      const bytes = random.bytes(count * BLOCK_SIZE);
      device.write(begin, cut(bytes, counts));
      image.set(bytes, begin * BLOCK_SIZE);
      expectDevice(device, image, `the device after blocks ${begin} to ${begin + count} were written`);
    }
    device.write(NR_BLOCKS, []);
    expectDevice(device, image, 'the device after an empty run was written');
  });
  add('keeps no hold of the buffers that it was given', ({ device }) => {
    const bytes = new Uint8Array(BLOCK_SIZE).fill(1);
    device.write(3, [bytes]);
    bytes.fill(2);
    device.flush();
    expectBytes(readRun(device, 3, 1), new Uint8Array(BLOCK_SIZE).fill(1), 'the block');
    device.read(3, [bytes]);
    bytes.fill(3);
    expectBytes(readRun(device, 3, 1), new Uint8Array(BLOCK_SIZE).fill(1), 'the block');
  });
  add('writes nothing of a run that it refuses', ({ device }, image) => {
    const one = new Uint8Array(BLOCK_SIZE);
    for (const begin of [-1, NR_BLOCKS, 1.5, Number.NaN]) {
      expectThrows(() => device.write(begin, [one]), RangeError, `writing block ${begin}`);
    }
    expectThrows(() => device.write(NR_BLOCKS - 1, [one, one]), RangeError, 'writing over the end');
    expectThrows(() => device.write(0, [one, new Uint8Array(100)]), RangeError, 'writing 100 bytes');
    expectDevice(device, image, 'the device');
  });
  add('takes thousands of buffers at once', ({ device }, image) => {
    const random = new Random(3);
    const bytes = random.bytes(NR_BLOCKS * BLOCK_SIZE);
    const empty = Array.from({ length: 3000 }, () => new Uint8Array(0));
    device.write(0, [...empty, ...cut(bytes, new Array(NR_BLOCKS).fill(1)), ...empty]);
    const seen = new Uint8Array(NR_BLOCKS * BLOCK_SIZE);
    device.read(0, [...empty, ...cut(seen, new Array(NR_BLOCKS).fill(1)), ...empty]);
    expectBytes(seen, bytes, 'the device');
    image.set(bytes);
  });
  add('flushes, and keeps what was flushed when it is opened again', async (subject, image) => {
    const { device } = subject;
    device.write(2, [blocksOf(image, 9, 1)]);
    device.flush();
    device.write(4, [blocksOf(image, 11, 2)]);
    if (device.flushAsync) await device.flushAsync();
    else device.flush();
    device.flush();
    image.set(blocksOf(image, 9, 1), 2 * BLOCK_SIZE);
    image.set(blocksOf(image, 11, 2), 4 * BLOCK_SIZE);
    expectDevice(device, image, 'the device after flushes');
    device.close();
    const again = subject.reopen?.();
    if (again === undefined) return;
    expectDevice(again, image, 'the device when opened again');
    again.close();
  });
  add('is equal to a plain array under 500 random calls', ({ device }, image) => {
    const random = new Random(4);
    for (let i = 0; i < 500; ++i) {
      const count = random.between(1, 6);
      const begin = random.below(NR_BLOCKS - count + 1);
      if (random.chance(0.5)) {
        const bytes = new Uint8Array(count * BLOCK_SIZE).fill(random.below(256));
        device.write(begin, cut(bytes, new Array(count).fill(1)));
        image.set(bytes, begin * BLOCK_SIZE);
      } else {
        expectBytes(readRun(device, begin, count), blocksOf(image, begin, count), `the run at ${begin}, call ${i},`);
      }
      if (random.chance(0.02)) device.flush();
    }
    expectDevice(device, image, 'the device');
  });
}

function addReadOnlyCases(add: Add): void {
  add('is read-only: refuses to be written or resized, and a flush does nothing', async ({ device }, image) => {
    expectThrows(() => device.write(0, [new Uint8Array(BLOCK_SIZE)]), ReadOnlyError, 'writing');
    if (device.resize) expectThrows(() => device.resize?.(NR_BLOCKS + 1), ReadOnlyError, 'resizing');
    device.flush();
    await device.flushAsync?.();
    expectDevice(device, image, 'the device');
  });
}

function addResizingCases(add: Add): void {
  add('grows with zeros, shrinks, and has zeros where it grows again', (subject, image) => {
    const { device } = subject;
    let wanted = image;
    for (const nrBlocks of [NR_BLOCKS, NR_BLOCKS + 5, NR_BLOCKS - 7, NR_BLOCKS + 20, 0, 3, 1]) {
      device.resize?.(nrBlocks);
      const next = new Uint8Array(nrBlocks * BLOCK_SIZE);
      next.set(wanted.subarray(0, next.byteLength));
      wanted = next;
      expectDevice(device, wanted, `the device after a change to ${nrBlocks} blocks`);
      if (nrBlocks === 0) continue;
      wanted.fill(nrBlocks, -BLOCK_SIZE);
      device.write(nrBlocks - 1, [blocksOf(wanted, nrBlocks - 1, 1)]);
      expectDevice(device, wanted, `the device of ${nrBlocks} blocks after its last one was written`);
    }
    expectThrows(() => readRun(device, 1, 1), RangeError, 'reading a block that was cut off');
    device.flush();
    device.close();
    const again = subject.reopen?.();
    if (again === undefined) return;
    expectDevice(again, wanted, 'the device when opened again');
    again.close();
  });
  add('refuses a length that is none', ({ device }, image) => {
    for (const nrBlocks of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 60]) {
      expectThrows(() => device.resize?.(nrBlocks), RangeError, `a change to ${nrBlocks} blocks`);
    }
    expectDevice(device, image, 'the device');
  });
}

function addDiscardingCases(add: Add): void {
  add('discards inside a run and nowhere else', ({ device }, image) => {
    for (const [begin, count] of [
      [3, 1],
      [0, 2],
      [5, 17],
      [NR_BLOCKS, 0],
    ] as const) {
      device.discard?.(begin, count);
      for (let block = 0; block < NR_BLOCKS; ++block) {
        if (block >= begin && block < begin + count) device.write(block, [blocksOf(image, block, 1)]);
      }
      expectDevice(device, image, `the device after ${count} blocks at ${begin} were discarded and written again`);
    }
    expectThrows(() => device.discard?.(NR_BLOCKS - 1, 2), RangeError, 'discarding over the end');
    expectThrows(() => device.discard?.(-1, 1), RangeError, 'discarding before the beginning');
  });
}
