import { expect, test } from 'vitest';
import { Slab } from '../base/index.ts';
import { ERA_MAGIC, ERA_SUPERBLOCK, ERA_SUPERBLOCK_VALIDATOR, ERA_WRITESET } from './era-superblock.ts';

test('fields are where the kernel has them, also those that are not aligned', () => {
  expect(ERA_SUPERBLOCK.offset('metadataSpaceMapRoot')).toBe(0x2c);
  expect(ERA_SUPERBLOCK.offset('currentWritesetRoot')).toBe(0xc0);
  expect(ERA_SUPERBLOCK.offset('metadataSnap')).toBe(0xd8);
  expect(ERA_WRITESET.offset('root')).toBe(4);
});

test('a superblock without its magic number is refused before its checksum is looked at', () => {
  const slab = Slab.ofSize(4096);
  slab.words[ERA_SUPERBLOCK.word('magic')] = ERA_MAGIC + 1;
  const text = `Cannot read era_superblock block 0: magic is ${ERA_MAGIC + 1}, ${ERA_MAGIC} is wanted`;
  expect(() => ERA_SUPERBLOCK_VALIDATOR.check(slab, 0, 0)).toThrow(text);
});

test('a copy of a superblock elsewhere carries its own place', () => {
  const slab = Slab.ofSize(4096);
  slab.words[ERA_SUPERBLOCK.word('magic')] = ERA_MAGIC;
  ERA_SUPERBLOCK_VALIDATOR.seal(slab, 0, 412);
  ERA_SUPERBLOCK_VALIDATOR.check(slab, 0, 412);
  expect(() => ERA_SUPERBLOCK_VALIDATOR.check(slab, 0, 0)).toThrow('blocknr is 412, 0 is wanted');
});
