import { expect, test } from 'vitest';
import { StateError } from '../base/index.ts';
import type { BlockDevice, MemoryDevice } from '../io/index.ts';
import { CrashDevice, type CrashDeviceOptions } from './crash-device.ts';
import type { CrashPoint } from './crash-point.ts';

const block = (fill: number) => new Uint8Array(4096).fill(fill);

function byteAt(device: BlockDevice, nr: number): number {
  const bytes = block(0xff);
  device.read(nr, [bytes]);
  return bytes[0] as number;
}

/** The first bytes of the blocks 0 to 3 in each state without tears: `0120`. */
function contents(point: CrashPoint): Set<string> {
  const found = new Set<string>();
  for (const state of point.states({ tear: false })) {
    const device = state.open();
    found.add(Array.from({ length: device.nrBlocks }, (_, nr) => byteAt(device, nr)).join(''));
  }
  return found;
}

test('`CrashDevice` loses any subset of what was not flushed, whatever call it came from', () => {
  const device = new CrashDevice({ nrBlocks: 3 });
  device.write(0, [block(1), block(2)]);
  expect(contents(device.crashPoint())).toEqual(new Set(['000', '100', '020', '120']));
});

test('`CrashDevice` never loses what a flush has covered', () => {
  const device = new CrashDevice({ nrBlocks: 3 });
  device.write(0, [block(1), block(2)]);
  device.flush();
  device.write(2, [block(3)]);
  expect(contents(device.crashPoint())).toEqual(new Set(['120', '123']));
  device.flush();
  expect(contents(device.crashPoint())).toEqual(new Set(['123']));
});

test('`CrashDevice` may have any version of a block that was written twice', () => {
  const device = new CrashDevice({ nrBlocks: 1 });
  device.write(0, [block(1)]);
  device.write(0, [block(2)]);
  expect(contents(device.crashPoint())).toEqual(new Set(['0', '1', '2']));
});

test('`CrashDevice` loses a change of length or not, and with it what was written there', () => {
  const device = new CrashDevice({ nrBlocks: 1 });
  device.resize(3);
  device.write(2, [block(7)]);
  expect(contents(device.crashPoint())).toEqual(new Set(['0', '000', '007']));
  device.flush();
  device.resize(1);
  device.resize(3);
  expect(contents(device.crashPoint())).toEqual(new Set(['007', '0', '000']));
});

test('`CrashDevice` fills discarded blocks with what no format accepts, until they are written', () => {
  const device = new CrashDevice({ nrBlocks: 2 });
  device.write(0, [block(1), block(2)]);
  device.flush();
  device.discard(1, 1);
  expect(byteAt(device, 1)).toBe(0xdb);
  expect(contents(device.crashPoint())).toEqual(new Set(['12', '1219']));
  device.write(1, [block(3)]);
  device.flush();
  expect(contents(device.crashPoint())).toEqual(new Set(['13']));
});

test('an asynchronous flush covers what was written before it was called, once it has ended', async () => {
  const device = new CrashDevice({ nrBlocks: 2, asyncFlush: 'held' });
  device.write(0, [block(1)]);
  const flush = device.flushAsync();
  device.write(1, [block(2)]);
  expect(contents(device.crashPoint())).toEqual(new Set(['00', '10', '02', '12']));
  device.finishFlush();
  await flush;
  expect(contents(device.crashPoint())).toEqual(new Set(['10', '12']));
  expect(() => device.finishFlush()).toThrow(StateError);
});

test('a flush that ends during an earlier asynchronous one covers both, and nothing is counted twice', async () => {
  const device = new CrashDevice({ nrBlocks: 3, asyncFlush: 'held' });
  device.write(0, [block(1)]);
  const first = device.flushAsync();
  device.write(1, [block(2)]);
  device.flush();
  expect(device.nrOpen).toBe(0);
  device.write(2, [block(3)]);
  device.finishFlush();
  await first;
  expect(contents(device.crashPoint())).toEqual(new Set(['120', '123']));
});

test('an asynchronous flush ends by itself, in a later turn', async () => {
  const device = new CrashDevice({ nrBlocks: 1 });
  device.write(0, [block(1)]);
  const flush = device.flushAsync();
  await Promise.resolve();
  expect(device.nrOpen).toBe(1);
  device.close();
  await flush;
  expect(device.nrOpen).toBe(0);
});

test('`CrashDevice` reports a crash point before and after each flush, and after every k-th write', async () => {
  const labels: string[] = [];
  const options: CrashDeviceOptions = {
    nrBlocks: 9,
    everyWrites: 2,
    onCrashPoint: (point) => {
      expect(point.index).toBe(labels.length);
      labels.push(`${point.label}: ${point.items.length} open, ${point.nrWrites} ${point.nrFlushes}`);
    },
  };
  const device = new CrashDevice(options);
  for (let i = 0; i < 5; ++i) device.write(i, [block(1), block(2)]);
  device.flush();
  device.write(0, [block(1)]);
  await device.flushAsync();
  expect(labels).toEqual([
    'after write 1: 4 open, 2 0',
    'after write 3: 8 open, 4 0',
    'before flush 0: 10 open, 5 0',
    'after flush 0: 0 open, 5 1',
    'after write 5: 1 open, 6 1',
    'before flush 1: 1 open, 6 1',
    'after flush 1: 0 open, 6 2',
  ]);
  expect([device.nrWrites, device.nrFlushCalls]).toEqual([6, 2]);
});

test('a crash point does not change when its device goes on', () => {
  const device = new CrashDevice({ nrBlocks: 2 });
  device.write(0, [block(1)]);
  const point = device.crashPoint();
  device.write(0, [block(2)]);
  device.flush();
  device.resize(1);
  expect(contents(point)).toEqual(new Set(['00', '10']));
  expect(point.toString()).toBe('crash point 0, asked for, open: 0');
});

test('`CrashDevice.reopen()` is the same disk without a loss of power', () => {
  const device = new CrashDevice({ nrBlocks: 2 });
  device.write(0, [block(1)]);
  device.close();
  expect(contents(device.crashPoint())).toEqual(new Set(['00', '10']));
  device.reopen();
  expect(byteAt(device, 0)).toBe(1);
  device.flush();
  expect(contents(device.crashPoint())).toEqual(new Set(['10']));
});

test('a state can be made again from its text', () => {
  const device = new CrashDevice({ nrBlocks: 20 });
  for (let i = 0; i < 20; ++i) device.write(i, [block(i + 1)]);
  const point = device.crashPoint();
  for (const state of point.states({ limit: 200 })) {
    const again = point.parse(state.toString());
    expect(again.masks).toEqual(state.masks);
    expect(Buffer.from(again.open().toBytes()).equals(state.open().toBytes())).toBe(true);
  }
  expect(point.parse('ff*3,0f,00*16').toString()).toBe('ff*3,0f,00*16');
  for (const bad of ['ff', '', 'ff*20,', 'fg*20', 'ff*0', 'FF*20']) expect(() => point.parse(bad)).toThrow(RangeError);
});

test('`CrashPoint.shrink()` leaves the losses and tears that a failure needs', () => {
  const device = new CrashDevice({ nrBlocks: 30 });
  for (let i = 0; i < 30; ++i) device.write(i, [block(1)]);
  const point = device.crashPoint();
  const start = point.parse('00*4,0f,00*8,ff,00*6,7f,00*9');
  const lost = (disk: MemoryDevice) => byteAt(disk, 5) === 0 && byteAt(disk, 17) === 0;
  expect(`${point.shrink(start, lost)}`).toBe('ff*5,00,ff*11,00,ff*12');
  const torn = (disk: MemoryDevice) => {
    const bytes = block(0);
    disk.read(20, [bytes]);
    return bytes[0] !== bytes[4095];
  };
  expect(`${point.shrink(start, torn)}`).toBe('ff*20,7f,ff*9');
  expect(`${point.shrink(start, () => true, 0)}`).toBe(`${start}`);
});

/** A commit as a kernel format makes it: all blocks, flush, superblock (block 0), flush. */
function commit(device: BlockDevice, version: number, superblockFirst = false): void {
  if (superblockFirst) device.write(0, [block(version)]);
  device.write(1 + (version % 2) * 2, [block(version), block(version)]);
  device.flush();
  if (!superblockFirst) device.write(0, [block(version)]);
  device.flush();
}

/** Commits five times and gives the states that are neither the last acknowledged version nor the one under way. */
function campaign(options: CrashDeviceOptions, superblockFirst = false): { failures: string[]; nrStates: number } {
  const failures: string[] = [];
  let acknowledged = 0;
  let nrStates = 0;
  const device = new CrashDevice({
    ...options,
    nrBlocks: 5,
    everyWrites: 1,
    onCrashPoint: (point) => {
      for (const state of point.states()) {
        nrStates += 1;
        const disk = state.open();
        const version = byteAt(disk, 0);
        const begin = 1 + (version % 2) * 2;
        const isWhole = [0, 4095].every((at) => {
          const [a, b] = [block(0), block(0)];
          disk.read(begin, [a, b]);
          return version === 0 || (a[at] === version && b[at] === version);
        });
        if (!isWhole || version < acknowledged || version > acknowledged + 1) failures.push(`${point}: ${state}`);
      }
    },
  });
  for (let version = 1; version <= 5; ++version) {
    commit(device, version, superblockFirst);
    acknowledged = version;
  }
  device.crashPoint();
  return { failures, nrStates };
}

test('a commit with two flushes survives every crash state', () => {
  const { failures, nrStates } = campaign({});
  expect(failures).toEqual([]);
  expect(nrStates).toBeGreaterThan(300);
});

test('negative control: each dropped flush is caught', () => {
  for (let dropped = 0; dropped < 9; ++dropped) {
    expect(campaign({ dropFlush: (index) => index === dropped }).failures, `flush ${dropped}`).not.toEqual([]);
  }
});

test('negative control: a superblock that is written first is caught', () => {
  expect(campaign({}, true).failures).not.toEqual([]);
});
