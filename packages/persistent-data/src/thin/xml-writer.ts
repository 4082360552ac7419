import { type ByteSink, Literal, XmlWriter } from '../xml/index.ts';
import type { ThinVisitor, ThinXmlDevice, ThinXmlSuperblock } from './visitor.ts';

/* What stands around the numbers of a mapping. All mappings are inside a def or device, so two levels deep. */
const RANGE = new Literal('\n    <range_mapping origin_begin="');
const DATA_BEGIN = new Literal('" data_begin="');
const LENGTH = new Literal('" length="');
const SINGLE = new Literal('\n    <single_mapping origin_block="');
const DATA_BLOCK = new Literal('" data_block="');
const TIME = new Literal('" time="');
const END = new Literal('"/>');
const REF = new Literal('\n    <ref name="');

/**
 * Writes thin metadata as XML, to the byte as version 1.x of the userland tools does: no line feed at the end, `flags` and
 * `metadata_snap` only where they are given.
 *
 * Measured by `npx tsx bench/xml.ts`.
 */
export class ThinXmlWriter implements ThinVisitor {
  readonly #xml: XmlWriter;

  /** @param sink - Takes the text in pieces of some 256 KiB; the last one from `superblockEnd`. */
  constructor(sink: ByteSink) {
    this.#xml = new XmlWriter(sink);
  }

  /** @throws {RangeError} when XML cannot have the uuid. */
  superblockBegin(superblock: ThinXmlSuperblock): void {
    this.#xml.open('superblock', {
      uuid: superblock.uuid,
      time: superblock.time,
      transaction: superblock.transaction,
      flags: superblock.flags,
      version: superblock.version ?? 2,
      data_block_size: superblock.dataBlockSize,
      nr_data_blocks: superblock.nrDataBlocks,
      metadata_snap: superblock.metadataSnap,
    });
  }

  superblockEnd(): void {
    this.#xml.close();
    this.#xml.flush();
  }

  /** @throws {RangeError} when XML cannot have the name. */
  defBegin(name: string): void {
    this.#xml.open('def', { name });
  }

  defEnd(): void {
    this.#xml.close();
  }

  deviceBegin(device: ThinXmlDevice): void {
    this.#xml.open('device', {
      dev_id: device.devId,
      mapped_blocks: device.mappedBlocks,
      transaction: device.transaction,
      creation_time: device.creationTime,
      snap_time: device.snapTime,
    });
  }

  deviceEnd(): void {
    this.#xml.close();
  }

  map(originBegin: number, dataBegin: number, length: number, time: number): void {
    const xml = this.#xml;
    if (length === 1) {
      xml.two(SINGLE, originBegin, DATA_BLOCK, dataBegin, TIME);
    } else {
      xml.two(RANGE, originBegin, DATA_BEGIN, dataBegin, LENGTH);
      xml.decimal(length);
      xml.literal(TIME);
    }
    xml.decimal(time);
    xml.literal(END);
  }

  /** @throws {RangeError} when XML cannot have the name. */
  ref(name: string): void {
    const number = Number(name);
    // A dump's names are block numbers, and with many snapshots most of it is refs.
    if (!(Number.isSafeInteger(number) && String(number) === name && number >= 0)) {
      this.#xml.empty('ref', { name });
      return;
    }
    this.#xml.literal(REF);
    this.#xml.decimal(number);
    this.#xml.literal(END);
  }
}
