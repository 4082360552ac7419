import { describe, expect, test } from 'vitest';
import { BLOCK_SIZE, blockKind, compareDevices, describeDifferences } from './compare.ts';
import { goldenImage } from './image.ts';

const image = () => goldenImage('scripted', '18-close').bytes();
const block = (bytes: Uint8Array, index: number) => bytes.subarray(index * BLOCK_SIZE, (index + 1) * BLOCK_SIZE);

describe('blockKind()', () => {
  test('tells all kinds by their checksums', () => {
    const bytes = image();
    const kinds = new Set(
      Array.from({ length: 1024 }, (_, index) => blockKind(block(bytes, index)).replace(/ \(.*/, '')),
    );
    const wanted = ['bitmap', 'internal node', 'leaf node', 'metadata index', 'thin superblock', 'zeros'];
    expect([...kinds].sort()).toEqual(wanted);
    expect(blockKind(block(goldenImage('cache', 'v1-clean').bytes(), 0))).toBe('cache superblock');
    expect(blockKind(block(goldenImage('era', 'empty').bytes(), 0))).toBe('era superblock');
  });

  test('says when a checksum is wrong', () => {
    const bytes = image();
    bytes[100] = 1;
    expect(blockKind(block(bytes, 0))).toBe('bad checksum');
  });
});

describe('compareDevices()', () => {
  test('finds nothing in equal devices', () => {
    expect(compareDevices(image(), image())).toEqual([]);
    expect(describeDifferences(image(), image())).toBe('');
  });

  test('names block, kinds, first byte and both values', () => {
    const bytes = image();
    bytes[2 * BLOCK_SIZE + 1] = 0xaa;
    bytes[2 * BLOCK_SIZE + 48] = 0x55;
    const text = describeDifferences(bytes, image());
    expect(text).toContain('1 blocks differ');
    expect(text).toContain(
      'block 2: bad checksum, leaf node (0 entries, value size 4) wanted; byte 48 is 0x55, 0x00 wanted',
    );
  });

  test('says when only the checksum differs, and when the lengths do', () => {
    const bytes = image();
    bytes[1] = bytes[1]! ^ 1;
    expect(compareDevices(bytes, image())).toMatchObject([{ block: 0, offset: 1, nrBytes: 1 }]);
    expect(describeDifferences(image().subarray(0, 8192), image())).toContain('8192 bytes long, 4194304 wanted');
  });
});
