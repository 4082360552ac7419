import { type AuditedDevice, type AuditedMapping, describePool } from './thin-audit.ts';

interface ModelMapping {
  readonly dataBlock: number;
  readonly time: number;
}

interface ModelDevice {
  readonly id: number;
  readonly transactionId: number;
  readonly creationTime: number;
  snapshottedTime: number;
  readonly mappings: Map<number, ModelMapping>;
}

/** The fixed properties of a pool and its sizes at the beginning. */
export interface ThinModelOptions {
  readonly dataBlockSizeSectors: number;
  readonly nrDataBlocks: number;
  readonly nrMetadataBlocks: number;
}

const copyDevice = (device: ModelDevice): ModelDevice => ({ ...device, mappings: new Map(device.mappings) });

/**
 * A thin pool as plain maps: what must be mapped where after each operation. It does not choose data blocks; it is told, and knows which
 * may be chosen.
 */
export class ThinModel {
  readonly dataBlockSizeSectors: number;
  nrDataBlocks: number;
  nrMetadataBlocks: number;
  flags = 0;
  time = 0;
  transactionId = 0;
  #devices = new Map<number, ModelDevice>();
  #held: ModelDevice[] | undefined;

  constructor(options: ThinModelOptions) {
    this.dataBlockSizeSectors = options.dataBlockSizeSectors;
    this.nrDataBlocks = options.nrDataBlocks;
    this.nrMetadataBlocks = options.nrMetadataBlocks;
  }

  get ids(): number[] {
    return [...this.#devices.keys()];
  }

  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  has(id: number): boolean {
    return this.#devices.has(id);
  }

  create(id: number): void {
    this.#add(id, new Map());
  }

  snapshot(id: number, origin: number): void {
    const device = this.#device(origin);
    this.time += 1;
    this.#add(id, new Map(device.mappings));
    device.snapshottedTime = this.time;
  }

  delete(id: number): void {
    this.#devices.delete(id);
  }

  find(id: number, virtualBlock: number): { readonly dataBlock: number; readonly shared: boolean } | undefined {
    const device = this.#device(id);
    const found = device.mappings.get(virtualBlock);
    return found && { dataBlock: found.dataBlock, shared: device.snapshottedTime > found.time };
  }

  insert(id: number, virtualBlock: number, dataBlock: number): void {
    this.#device(id).mappings.set(virtualBlock, { dataBlock, time: this.time });
  }

  /** Answers how many were mapped. */
  removeRange(id: number, begin: number, end: number): number {
    const { mappings } = this.#device(id);
    const before = mappings.size;
    for (const block of mappings.keys()) if (block >= begin && block < end) mappings.delete(block);
    return before - mappings.size;
  }

  nrMapped(id: number): number {
    return this.#device(id).mappings.size;
  }

  hold(): void {
    this.#held = [...this.#devices.values()].map(copyDevice);
  }

  release(): void {
    this.#held = undefined;
  }

  /** All data blocks that a device or the metadata snapshot maps. */
  usedData(): Set<number> {
    const used = new Set<number>();
    for (const device of [...this.#devices.values(), ...(this.#held ?? [])]) {
      for (const { dataBlock } of device.mappings.values()) used.add(dataBlock);
    }
    return used;
  }

  /** An independent copy. */
  copy(): ThinModel {
    const copy = new ThinModel(this);
    copy.flags = this.flags;
    copy.time = this.time;
    copy.transactionId = this.transactionId;
    copy.#devices = new Map([...this.#devices].map(([id, device]) => [id, copyDevice(device)]));
    copy.#held = this.#held?.map(copyDevice);
    return copy;
  }

  /** The text that {@link describePool} gives for a pool that holds the same. */
  describe(): string {
    const devices = toAudited([...this.#devices.values()]);
    return describePool({ ...this.#facts(), devices, held: this.#held && toAudited(this.#held) });
  }

  #facts() {
    const { flags, time, transactionId, dataBlockSizeSectors, nrDataBlocks, nrMetadataBlocks } = this;
    return { flags, time, transactionId, dataBlockSizeSectors, nrDataBlocks, nrMetadataBlocks };
  }

  #add(id: number, mappings: Map<number, ModelMapping>): void {
    const { time, transactionId } = this;
    this.#devices.set(id, { id, transactionId, creationTime: time, snapshottedTime: time, mappings });
  }

  #device(id: number): ModelDevice {
    const device = this.#devices.get(id);
    if (device === undefined) throw new Error(`the model has no device ${id}`);
    return device;
  }
}

function toAudited(devices: readonly ModelDevice[]): AuditedDevice[] {
  return devices
    .map(({ mappings, ...facts }) => ({ ...facts, mappedBlocks: mappings.size, mappings: sorted(mappings) }))
    .sort((a, b) => a.id - b.id);
}

function sorted(mappings: Map<number, ModelMapping>): AuditedMapping[] {
  return [...mappings]
    .map(([block, { dataBlock, time }]): AuditedMapping => [block, dataBlock, time])
    .sort((a, b) => a[0] - b[0]);
}
