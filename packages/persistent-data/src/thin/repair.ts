import { StateError, type U64 } from '../base/index.ts';
import type { BlockDevice } from '../io/index.ts';
import type { DeviceDetails } from './device-details.ts';
import type { DetailsCandidate, FoundRoots, MappingCandidate } from './find-roots.ts';
import { RootedDevice } from './rooted-device.ts';
import { isDataBlockSize } from './superblock.ts';

/** Values that a damaged superblock cannot give, or that are to be others. */
export interface RepairOverrides {
  readonly transactionId?: U64;
  readonly dataBlockSizeSectors?: number;
  /** At least this many; a pool is never made smaller than what is mapped or what its superblock says. */
  readonly nrDataBlocks?: number;
}

/** Which roots to take, and with what values. */
export interface RepairOptions {
  readonly overrides?: RepairOverrides;
  /** Block of the root of mappings to take in place of the best. */
  readonly mappingRoot?: number;
  /** Block of the root of details to go with it. Default: the first that fits. */
  readonly detailsRoot?: number;
}

/** What a repair will make of a pool. */
export interface RepairPlan {
  readonly mapping: MappingCandidate;
  /** `undefined`: no details fit; they are made up. */
  readonly detailsRoot: number | undefined;
  readonly details: ReadonlyMap<number, DeviceDetails>;
  readonly time: number;
  readonly transactionId: U64;
  readonly dataBlockSizeSectors: number;
  readonly nrDataBlocks: number;
}

/**
 * Decides what a repair takes: the roots of the superblock if they are whole, else the newest roots of mappings that details fit to, else the newest
 * roots of mappings with details that are made up.
 *
 * @throws {StateError} with the texts of `thin_repair` when there is nothing to take, or a value has to be given.
 */
export function planRepair(found: FoundRoots, options: RepairOptions = {}): RepairPlan {
  const { overrides = {} } = options;
  const { superblock } = found;
  const { mapping, details } = chooseRoots(found, options);
  const dataBlockSizeSectors = overrides.dataBlockSizeSectors ?? superblock?.dataBlockSize;
  if (dataBlockSizeSectors === undefined) {
    throw new StateError('data block size needs to be provided due to corruption in the superblock');
  }
  if (!isDataBlockSize(dataBlockSizeSectors)) throw new StateError('invalid data block size');
  const lost = details === undefined;
  const time = Math.max(superblock?.time ?? 0, mapping.age + (lost ? 1 : 0), details?.age ?? 0);
  const newest = details === undefined ? 0 : details.maxTransaction;
  const transactionId = overrides.transactionId ?? superblock?.transactionId ?? oneMore(newest);
  return {
    mapping,
    detailsRoot: details?.block,
    details: details?.devices ?? madeUpDetails(mapping, transactionId),
    time,
    transactionId,
    dataBlockSizeSectors,
    nrDataBlocks: Math.max(
      superblock?.dataSpaceMapRoot.nrBlocks ?? 0,
      mapping.highestMapped + 1,
      overrides.nrDataBlocks ?? 0,
    ),
  };
}

function chooseRoots(
  found: FoundRoots,
  { mappingRoot, detailsRoot }: RepairOptions,
): { mapping: MappingCandidate; details: DetailsCandidate | undefined } {
  const { pairs } = found;
  if (mappingRoot !== undefined) {
    const mapping = found.mapping.find(({ block }) => block === mappingRoot);
    if (mapping === undefined)
      throw new StateError(`Cannot use root ${mappingRoot}: no whole list of devices begins there`);
    const fitting = pairs.filter((pair) => pair.mapping === mapping).map(({ details }) => details);
    const details = detailsRoot === undefined ? fitting[0] : fitting.find(({ block }) => block === detailsRoot);
    if (detailsRoot !== undefined && details === undefined) {
      throw new StateError(
        `Cannot use root ${detailsRoot}: its details do not fit the mappings of root ${mappingRoot}`,
      );
    }
    return { mapping, details };
  }
  const best = pairs[0] ?? (found.mapping[0] && { mapping: found.mapping[0], details: undefined });
  if (best === undefined) throw new StateError('no compatible roots found');
  return best;
}

function oneMore(transactionId: U64): U64 {
  return typeof transactionId === 'number' ? transactionId + 1 : transactionId + 1n;
}

function madeUpDetails(mapping: MappingCandidate, transactionId: U64): Map<number, DeviceDetails> {
  const time = mapping.age + 1;
  const before = transactionId === 0 ? 0 : typeof transactionId === 'number' ? transactionId - 1 : transactionId - 1n;
  return new Map(
    [...mapping.devices].map(([id, { summary }]) => [
      id,
      { mappedBlocks: summary.nrMappings, transactionId: before, creationTime: time, snapshottedTime: time },
    ]),
  );
}

/** The device as it will be read: with the chosen roots. Dump it to show, or to make, the repaired pool. */
export function repairedView(device: BlockDevice, plan: RepairPlan): BlockDevice {
  const { mapping, detailsRoot, details, time, transactionId, dataBlockSizeSectors, nrDataBlocks } = plan;
  const superblock = { time, transactionId, dataMappingRoot: mapping.block, dataBlockSizeSectors, nrDataBlocks };
  if (detailsRoot === undefined) return new RootedDevice(device, superblock, details);
  return new RootedDevice(device, { ...superblock, deviceDetailsRoot: detailsRoot });
}
