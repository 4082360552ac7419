import { expect, test } from 'vitest';
import { BYTE_CLASS, NAME_PART, NAME_START, PLAIN, SPACE } from './byte-class.ts';

const members = (bit: number) => [...BYTE_CLASS.keys()].filter((byte) => BYTE_CLASS[byte]! & bit);

test('each class has its bytes', () => {
  expect(members(SPACE)).toEqual([9, 10, 13, 32]);
  expect(String.fromCharCode(...members(NAME_START))).toBe(':ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz');
  expect(members(NAME_PART)).toHaveLength(54 + 12);
  expect(members(PLAIN)).toHaveLength(0x60 - 4);
});

test('the sentinel is in no class, nor is any byte beyond ASCII', () => {
  expect(BYTE_CLASS[0]).toBe(0);
  expect(BYTE_CLASS.subarray(0x80).every((bits) => bits === 0)).toBe(true);
});
