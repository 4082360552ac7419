import type { Engine } from './engine.ts';

/**
 * Before closing: makes a checkpoint that is believed without a proof, unless the last one is such and all there is; and gives the free end of the file
 * back. Not in a transaction. Three checkpoints at most.
 */
export function foldStore(engine: Engine): void {
  const { disk } = engine;
  disk.finishPending();
  if (!engine.journal.isOpen && engine.journal.usedBytes === 0) return;
  const { device, blockManager } = disk;
  engine.space.startLow();
  // What the last checkpoint alone uses is free only after the next one.
  engine.checkpoint(device.resize !== undefined);
  engine.space.startLow();
  let isCut = false;
  try {
    isCut = engine.space.cut();
  } catch (error) {
    throw engine.failChange(error);
  }
  if (isCut || engine.journal.usedBytes > 0) engine.checkpoint(false);
  const { nrBlocks } = engine.core.spaceMap;
  if (device.resize === undefined || device.nrBlocks <= nrBlocks) return;
  blockManager.resize(nrBlocks);
  disk.flush();
}
