import { expect, test } from 'vitest';
import { goldenImage } from '../../../../test/golden/image.ts';
import { toolRecords } from '../../../../test/golden/tools-records.ts';
import { CorruptionError } from '../base/index.ts';
import { MemoryDevice } from '../io/index.ts';
import { thinDelta } from './delta.ts';
import { ThinDeltaWriter } from './delta-writer.ts';
import { rootOf, ThinImage } from './image.ts';

function device(path: string): MemoryDevice {
  const at = path.lastIndexOf('/');
  return MemoryDevice.from(goldenImage(path.slice(0, at), path.slice(at + 1)).bytes());
}

const FOUND = toolRecords('thin_delta').filter(([, { stderr }]) => stderr === '');

test.each(FOUND)('as version 1.1.0: %s', (_, { image, options, stdout }) => {
  const pool = new ThinImage(device(image), { metadataSnapshot: options.includes('-m') });
  const isVerbose = options.includes('--verbose');
  const side = (which: string) => {
    const at = options.findIndex((option) => /^--/.test(option) && option.endsWith(which));
    const value = Number(options[at + 1]);
    return options[at]!.startsWith('--root') ? { root: value } : { device: value };
  };
  let text = '';
  const writer = new ThinDeltaWriter((bytes) => (text += new TextDecoder().decode(bytes)), { isVerbose });
  const { time, transactionId, dataBlockSize, dataSpaceMapRoot } = pool.superblock;
  const nrDataBlocks = dataSpaceMapRoot.nrBlocks;
  const [left, right] = [side('1'), side('2')];
  writer.begin({ uuid: '', time, transaction: transactionId, dataBlockSize, nrDataBlocks }, left, right);
  const rootFor = ({ root, device }: { root?: number; device?: number }) => root ?? rootOf(pool, device!);
  thinDelta(pool, rootFor(left), rootFor(right), writer.visit);
  writer.end();
  expect(text).toBe(stdout);
});

test('exact runs tell the data blocks of all of them', () => {
  const pool = new ThinImage(device('tools/deltas'));
  const found: unknown[] = [];
  thinDelta(pool, rootOf(pool, 1), rootOf(pool, 2), (...run) => found.push(run), { isExact: true });
  expect(found).toEqual([
    ['different', 0, 2, 100, 1100],
    ['different', 2, 2, 102, 1200],
    ['different', 4, 1, 200, 1202],
    ['different', 5, 2, 198, 1203],
    ['different', 7, 1, 300, 1205],
    ['different', 8, 4, 400, 1206],
    ['same', 20, 2, 500, 500],
    ['same', 22, 2, 600, 600],
  ]);
});

test('a shared leaf is read once', () => {
  const pool = new ThinImage(device('thin/deep'));
  let nrRead = 0;
  const disk = pool.device;
  const counted = new ThinImage({
    nrBlocks: disk.nrBlocks,
    readOnly: true,
    read: (begin, buffers) => {
      nrRead += buffers.reduce((sum, { length }) => sum + length / 4096, 0);
      disk.read(begin, buffers);
    },
    write: () => undefined,
    flush: () => undefined,
    close: () => undefined,
  });
  const root = rootOf(pool, 0);
  const kinds = new Set<string>();
  thinDelta(counted, root, root, (kind) => kinds.add(kind));
  expect([...kinds]).toEqual(['same']);
  // The tree has some 500 leaves; the superblock and the internal nodes are the rest.
  expect(nrRead).toBeLessThan(560);
});

test('a leaf that is lost is a `CorruptionError`', () => {
  const disk = device('tools/gen');
  disk.write(2, [new Uint8Array(4096)]);
  expect(() => thinDelta(new ThinImage(disk), 4, 5, () => undefined)).toThrow(CorruptionError);
});
