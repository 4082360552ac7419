/** A model of device-mapper over `ThinPool`: what `target.ts` does to the metadata alone, done by requests and messages to the target itself. */

import { type DataDevice, type DiscardMode, ThinPool, type ThinVolume } from 'persistent-data/thin-pool';
import type { ImageDevice } from './image-device.ts';
import { type Command, type PoolTable, parsePoolTable } from './script.ts';

const SECTOR_SIZE = 512;
const SECTORS_PER_BLOCK = 8;

/** A data device that forgets what is written: the scripts write gigabytes, and only the metadata is compared. */
class NoData implements DataDevice {
  readonly readOnly = false;
  readonly canPunchHoles = true;
  readonly zeroFrom = Number.POSITIVE_INFINITY;
  sizeBytes = 0;

  read(_offset: number, into: Uint8Array): void {
    into.fill(0);
  }

  write(): void {}

  writeVectored(): void {}

  flush(): void {}

  punchHoles(): boolean {
    return false;
  }

  close(): void {}
}

/** The machine: one metadata disk, at most one pool, its open volumes by their names. */
export class PoolTarget {
  readonly #disk: ImageDevice;
  readonly #data = new NoData();
  readonly #volumes = new Map<string, ThinVolume>();
  readonly #reloaded = new Map<string, string>();
  #pool: { readonly name: string; readonly pool: ThinPool } | undefined;

  constructor(disk: ImageDevice) {
    this.#disk = disk;
  }

  async run(command: Command): Promise<void> {
    switch (command.do) {
      case 'createPool':
        return this.#createPool(command.name, command.table);
      case 'createThin':
        this.#volumes.set(
          command.name,
          this.#open.thin(command.id, { sizeBytes: command.lengthSectors * SECTOR_SIZE }),
        );
        return;
      case 'createLinear':
        return this.#disk.grow(command.lengthSectors / SECTORS_PER_BLOCK);
      case 'reload':
        this.#reloaded.set(command.name, command.table);
        return;
      case 'suspend':
      case 'status':
        if (command.name === '' || command.name === this.#pool?.name) await this.#pool?.pool.status();
        return;
      case 'resume':
        return this.#resume(command.name);
      case 'remove':
        return this.#remove(command.name);
      case 'removeThins':
        for (const name of [...this.#volumes.keys()].sort()) await this.#remove(name);
        return;
      case 'message':
        return this.#open.message(command.words.join(' '));
      default:
        return this.#transfer(command);
    }
  }

  get #open(): ThinPool {
    if (this.#pool === undefined) throw new Error('no pool is open');
    return this.#pool.pool;
  }

  #createPool(name: string, table: PoolTable): void {
    const options = {
      metadata: this.#disk,
      data: this.#data,
      dataBlockSizeSectors: table.blockSectors,
      discards: discardsOf(table),
      commitPeriodMs: 0,
    };
    this.#data.sizeBytes = table.lengthSectors * SECTOR_SIZE;
    const isNew = this.#disk.bytes.subarray(0, 4096).every((byte) => byte === 0);
    this.#pool = { name, pool: isNew ? ThinPool.create(options) : ThinPool.open(options) };
  }

  async #resume(name: string): Promise<void> {
    const table = this.#reloaded.get(name)?.split(' ');
    this.#reloaded.delete(name);
    if (table?.[2] === 'linear') this.#disk.grow(Number(table[1]) / SECTORS_PER_BLOCK);
    if (name !== this.#pool?.name) return;
    if (table !== undefined) this.#data.sizeBytes = parsePoolTable(table).lengthSectors * SECTOR_SIZE;
    await this.#open.grow();
  }

  async #remove(name: string): Promise<void> {
    const volume = this.#volumes.get(name);
    if (volume !== undefined) {
      volume.close();
      this.#volumes.delete(name);
    } else if (name === this.#pool?.name) {
      await this.#open.close();
      this.#pool = undefined;
    }
  }

  async #transfer(command: Extract<Command, { do: 'write' | 'flush' | 'discard' }>): Promise<void> {
    const volume = this.#volumes.get(command.name);
    if (volume === undefined) throw new Error(`no volume ${command.name} is open`);
    switch (command.do) {
      case 'write': {
        const bytes = new Uint8Array(command.lengthBytes);
        for (const offset of command.offsetBytes) await volume.write(offset, bytes);
        return;
      }
      case 'flush':
        return volume.flush();
      case 'discard': {
        const { offsetBytes, lengthBytes = volume.sizeBytes - offsetBytes } = command;
        await volume.discard(offsetBytes, lengthBytes);
      }
    }
  }
}

function discardsOf({ features }: PoolTable): DiscardMode {
  if (features.includes('ignore_discard')) return 'ignore';
  return features.includes('no_discard_passdown') ? 'no_passdown' : 'passdown';
}
