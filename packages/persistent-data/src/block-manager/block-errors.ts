import { CorruptionError } from '../base/index.ts';

/** A block is wanted as one kind and is known as another. @param found - `undefined`: it was allocated and is not known yet. */
export function otherKind(block: number, found: string | undefined, wanted: string): CorruptionError {
  const kind = found ?? 'unknown';
  return new CorruptionError(`Cannot read ${wanted} block ${block}: it is a ${kind} block`, {
    block,
    kind: wanted,
    field: 'kind',
    found: kind,
    expected: wanted,
  });
}

/** Something refers to a block that the device does not have. */
export function outsideDevice(block: number, kind: string, nrBlocks: number): CorruptionError {
  const message = `Cannot read ${kind} block ${block}: the device has ${nrBlocks} blocks`;
  return new CorruptionError(message, { block, kind, field: 'blocknr', found: block, expected: `below ${nrBlocks}` });
}
