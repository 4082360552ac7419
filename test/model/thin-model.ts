/** A thin pool as plain maps. Knows nothing of blocks of metadata, trees or a disk. */

export interface ModelMapping {
  readonly dataBlock: number;
  readonly time: number;
}

export interface ModelDevice {
  readonly mappings: Map<number, ModelMapping>;
  readonly transactionId: number;
  readonly creationTime: number;
  snapshottedTime: number;
}

/** What a commit makes durable. */
export class ModelPool {
  devices = new Map<number, ModelDevice>();
  /** Devices of the metadata snapshot, or `undefined`. */
  held: Map<number, ModelDevice> | undefined;
  time = 0;
  transactionId = 0;
  needsCheck = false;
  nrDataBlocks: number;
  nrMetadataBlocks: number;
  /** References to data blocks that no mapping has. */
  owned = new Map<number, number>();

  constructor(nrDataBlocks: number, nrMetadataBlocks: number) {
    this.nrDataBlocks = nrDataBlocks;
    this.nrMetadataBlocks = nrMetadataBlocks;
  }

  clone(): ModelPool {
    const copy = new ModelPool(this.nrDataBlocks, this.nrMetadataBlocks);
    const { time, transactionId, needsCheck } = this;
    Object.assign(copy, { time, transactionId, needsCheck });
    copy.devices = cloneDevices(this.devices);
    copy.held = this.held && cloneDevices(this.held);
    copy.owned = new Map(this.owned);
    return copy;
  }

  /** Lists devices as the pool does. */
  list(): unknown[] {
    return [...this.devices]
      .sort(([a], [b]) => a - b)
      .map(([id, { mappings, transactionId, creationTime, snapshottedTime }]) => {
        return { id, mappedBlocks: mappings.size, transactionId, creationTime, snapshottedTime };
      });
  }

  create(id: number, mappings = new Map<number, ModelMapping>()): void {
    const { time, transactionId } = this;
    this.devices.set(id, { mappings, transactionId, creationTime: time, snapshottedTime: time });
  }

  snapshot(id: number, origin: ModelDevice): void {
    this.time++;
    origin.snapshottedTime = this.time;
    this.create(id, new Map(origin.mappings));
  }

  addOwned(block: number, delta: number): void {
    const count = (this.owned.get(block) ?? 0) + delta;
    if (count === 0) this.owned.delete(block);
    else this.owned.set(block, count);
  }
}

function cloneDevices(devices: ReadonlyMap<number, ModelDevice>): Map<number, ModelDevice> {
  return new Map([...devices].map(([id, device]) => [id, { ...device, mappings: new Map(device.mappings) }]));
}
