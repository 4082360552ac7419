import { expect, test } from 'vitest';
import { otherKind, outsideDevice } from './block-errors.ts';

test('errors say what is where, and what is wanted', () => {
  expect(otherKind(7, 'bitmap', 'btree_node').message).toBe('Cannot read btree_node block 7: it is a bitmap block');
  expect(otherKind(7, undefined, 'bitmap')).toMatchObject({
    code: 'PDATA_CORRUPT',
    ...{ block: 7, kind: 'bitmap', field: 'kind', found: 'unknown', expected: 'bitmap' },
  });
  expect(outsideDevice(9, 'bitmap', 8)).toMatchObject({
    message: 'Cannot read bitmap block 9: the device has 8 blocks',
    ...{ block: 9, field: 'blocknr', found: 9, expected: 'below 8' },
  });
});
