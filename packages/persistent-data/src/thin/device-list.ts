import type { U64 } from '../base/index.ts';
import type { DeviceDetails } from './device-details.ts';

/** A thin device in core. */
export class ThinDeviceState implements DeviceDetails {
  readonly id: number;
  readonly transactionId: U64;
  readonly creationTime: number;
  mappedBlocks: number;
  snapshottedTime: number;
  /** How many have it open. */
  openers = 0;
  /** Whether its details differ from those on the disk. */
  detailsChanged: boolean;
  /** Whether a mapping was inserted or removed since the last commit: what decides if a flush has to commit. */
  changedThisTransaction = false;
  /** Whether changes of it were rolled back: a writer has to be told once. */
  abortedWithChanges = false;
  /** Whether it was deleted, or made by a transaction that was rolled back. */
  isGone = false;

  constructor(id: number, details: DeviceDetails, isNew: boolean) {
    this.id = id;
    this.transactionId = details.transactionId;
    this.creationTime = details.creationTime;
    this.mappedBlocks = details.mappedBlocks;
    this.snapshottedTime = details.snapshottedTime;
    this.detailsChanged = isNew;
  }
}

/**
 * The devices that are in core, newest first. A commit writes changed details in this order, which shows in the bytes when the tree of
 * details has several leaves. A device leaves when a commit writes its details while nobody has it open, or when it is deleted.
 */
export class DeviceList {
  #devices: ThinDeviceState[] = [];

  [Symbol.iterator](): Iterator<ThinDeviceState> {
    return this.#devices.slice()[Symbol.iterator]();
  }

  find(id: number): ThinDeviceState | undefined {
    return this.#devices.find((device) => device.id === id);
  }

  addFirst(device: ThinDeviceState): void {
    this.#devices.unshift(device);
  }

  remove(device: ThinDeviceState): void {
    this.#devices = this.#devices.filter((other) => other !== device);
  }

  clear(): void {
    this.#devices = [];
  }
}
