import { expect, test } from 'vitest';
import { ParseError } from '../base/index.ts';
import { parseMessage } from './message.ts';

test('reads each message', () => {
  expect(parseMessage('create_thin 5')).toEqual({ do: 'create_thin', id: 5 });
  expect(parseMessage(' create_snap 1  0 ')).toEqual({ do: 'create_snap', id: 1, origin: 0 });
  expect(parseMessage('delete 7')).toEqual({ do: 'delete', id: 7 });
  expect(parseMessage('set_transaction_id 3 4')).toEqual({ do: 'set_transaction_id', expected: 3, next: 4 });
  expect(parseMessage('reserve_metadata_snap')).toEqual({ do: 'reserve_metadata_snap' });
  expect(parseMessage('release_metadata_snap')).toEqual({ do: 'release_metadata_snap' });
});

test.each([
  '',
  'create',
  'create_thin',
  'create_thin x',
  'create_thin -1',
  'create_thin 1 2',
  'create_snap 1',
  'delete 1.5',
  'toString',
  'set_transaction_id 1 99999999999999999',
  'reserve_metadata_snap 1',
])('refuses "%s"', (text) => {
  expect(() => parseMessage(text)).toThrow(ParseError);
});
