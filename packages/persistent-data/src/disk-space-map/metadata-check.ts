import { assert, type Finding, type Slab, StateError } from '../base/index.ts';
import { type BlockValidator, type SpaceMapRoot, SUPERBLOCK_LOCATION } from '../format/index.ts';
import type { BlockDevice } from '../io/index.ts';
import { BlockScanner } from './block-scanner.ts';
import { badBlock, TreeChecker } from './tree-checker.ts';

/** How severe a check of a device is, and whom it tells how far it is. */
export interface MetadataCheckOptions {
  /** Reports under-full nodes as warnings. Default false: fatal. Leaks are leaks in any case. */
  readonly ignoreNonFatal?: boolean;
  /** Called now and then with the metadata blocks read so far, of those that are allocated as the superblock says. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** A target's superblock, as a check reads it. */
export interface CheckedSuperblock<S> {
  readonly validator: BlockValidator;
  /** Of the findings: `thin.superblock`. */
  readonly code: string;
  /** Decodes the block at word offset `base`. */
  read(slab: Slab, base: number): S;
}

/** Reads a superblock, or that of a metadata snapshot. Yields why it cannot be believed, and answers nothing then. */
export function* readSuperblock<S>(
  device: BlockDevice,
  block: number,
  { validator, code, read }: CheckedSuperblock<S>,
): Generator<Finding, S | undefined> {
  if (!(block < device.nrBlocks)) {
    const message = `Cannot read ${validator.kind} block ${block}: the device has ${device.nrBlocks} blocks`;
    yield { severity: 'fatal', code, message, block };
    return undefined;
  }
  const scanner = new BlockScanner(device, 1);
  scanner.loadOne(block);
  const problem = scanner.problem(0, block, validator);
  if (problem === undefined) return read(scanner.slab, 0);
  yield { ...badBlock(problem, block), code };
  return undefined;
}

/** Changes the superblock in place, outside of any transaction: one write, one flush. @throws {CorruptionError | DeviceError} when it cannot be read. */
export function changeSuperblock(
  device: BlockDevice,
  { validator }: Pick<CheckedSuperblock<unknown>, 'validator'>,
  change: (slab: Slab, base: number) => void,
): void {
  const scanner = new BlockScanner(device, 1);
  scanner.loadOne(SUPERBLOCK_LOCATION);
  const problem = scanner.problem(0, SUPERBLOCK_LOCATION, validator);
  if (problem !== undefined) throw problem;
  change(scanner.slab, 0);
  validator.seal(scanner.slab, 0, SUPERBLOCK_LOCATION);
  device.write(SUPERBLOCK_LOCATION, [scanner.slab.bytes]);
  device.flush();
}

/** Makes what checks the trees of a device whose superblock was believed; the superblock is counted. @param spaceMap - Of the metadata device. */
export function beginCheck(
  device: BlockDevice,
  { validator }: Pick<CheckedSuperblock<unknown>, 'validator'>,
  spaceMap: SpaceMapRoot,
  { ignoreNonFatal = false, onProgress }: MetadataCheckOptions,
): TreeChecker {
  const total = Math.min(spaceMap.nrAllocated, device.nrBlocks);
  const checker = new TreeChecker(device, {
    ignoreNonFatal,
    ...(onProgress === undefined ? {} : { onRead: (done) => onProgress(Math.min(done, total), total) }),
  });
  checker.countBlock(SUPERBLOCK_LOCATION, validator.kind);
  return checker;
}

/** Says that counts that are too high are not found. @param target - `thin`, of the code `thin.counts-incomplete`. */
export function countsIncomplete(target: string): Finding {
  const message = 'Reference counts are only checked for being too low: not all references could be counted';
  return { severity: 'warning', code: `${target}.counts-incomplete`, message };
}

/** What a check that is over has found, as far as a repair in place must know. */
export class CheckTally {
  nrLeaks = 0;
  #nrFatal = 0;
  #isDone = false;

  /** Passes findings on, once. */
  *count(findings: Iterable<Finding>): Generator<Finding, void> {
    assert(!this.#isDone, 'a check runs once');
    for (const finding of findings) {
      if (finding.severity === 'fatal') this.#nrFatal++;
      if (finding.severity === 'leak') this.nrLeaks++;
      yield finding;
    }
    this.#isDone = true;
  }

  /** @throws {StateError} when the check is not over, or found something fatal. @param isWhole - Whether it looked at all that a repair wants. */
  refuseRepair(isWhole: boolean): asserts isWhole {
    if (!this.#isDone || !isWhole) throw new StateError('Cannot repair: the check did not come to its end');
    if (this.#nrFatal > 0) throw new StateError(`Cannot repair: the check found ${this.#nrFatal} fatal errors`);
  }
}
