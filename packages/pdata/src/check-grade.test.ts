import { MemoryDevice } from 'persistent-data/io';
import { checkThin } from 'persistent-data/thin';
import { expect, test } from 'vitest';
import { goldenImage } from '../../../test/golden/image.ts';
import { gradeCheck, gradeText } from './check-grade.ts';

function grade(family: string, name: string, lost: readonly number[] = []) {
  const disk = MemoryDevice.from(goldenImage(family, name).bytes());
  for (const block of lost) disk.write(block, [new Uint8Array(4096)]);
  return gradeCheck(disk, [...checkThin(disk)], 'FILE');
}

test('a sound pool is clean', () => {
  expect(gradeText(grade('tools', 't1'))).toBe('grade: clean');
});

test('a pool that has lost its space maps is repairable', () => {
  expect(grade('tools', 'gen', [8])).toEqual({
    grade: 'repairable',
    devices: [],
    advice: 'thin_repair -i FILE -o OUTPUT',
  });
});

test('a pool that has lost a root tells which devices are at risk, and how to see more', () => {
  const graded = grade('thin', 'multi-64k-clean', [126]);
  expect(graded.grade).toBe('data at risk');
  expect(graded.devices.map(({ id }) => id)).toContain(12);
  expect(gradeText(graded)).toContain('what helps: thin_repair -i FILE --preview');
});

test('where no root is whole nothing is promised', () => {
  expect(grade('tools', 'gen', [1])).toEqual({ grade: 'data at risk', devices: [] });
  expect(grade('tools', 'gen', [0]).advice).toContain('--data-block-size SECTORS');
});

test('leaks are told with what repairs them', () => {
  const leak = [{ severity: 'leak', code: 'space-map.leak', message: '' }] as const;
  const disk = MemoryDevice.from(goldenImage('tools', 't1').bytes());
  expect(gradeCheck(disk, leak, 'FILE')).toMatchObject({ grade: 'leaks', advice: 'thin_check --auto-repair FILE' });
});
