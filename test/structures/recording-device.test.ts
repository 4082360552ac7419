import { expect, test } from 'vitest';
import { MemoryDevice } from '../../packages/persistent-data/src/io/index.ts';
import { RecordingDevice } from './recording-device.ts';

test('a recording device lists the calls that reach it', async () => {
  const device = new RecordingDevice(new MemoryDevice({ nrBlocks: 8 }));
  const block = new Uint8Array(4096);
  device.write(2, [block, block]);
  device.read(3, [block]);
  device.flush();
  await device.flushAsync();
  device.resize(16);
  expect([device.nrBlocks, device.readOnly]).toEqual([16, false]);
  expect(device.takeWrites()).toEqual(['write 2+2', 'flush', 'flush', 'resize 16']);
  expect(device.take()).toEqual([]);
});
