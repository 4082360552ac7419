import { expect, test } from 'vitest';
import * as tools from './tools.ts';

test('the tools are exported by the layer', async () => {
  const layer = await import('./index.ts');
  expect(Object.keys(layer)).toEqual(expect.arrayContaining(Object.keys(tools)));
});
