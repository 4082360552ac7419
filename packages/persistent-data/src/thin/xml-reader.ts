import { assert, type ParseError, type U64 } from '../base/index.ts';
import {
  type LineTaker,
  shorten,
  XmlGrammar,
  type XmlHandler,
  type XmlLine,
  type XmlTag,
  XmlTokenizer,
} from '../xml/index.ts';
import type { ThinVisitor, ThinXmlSuperblock } from './visitor.ts';

const MAX_U32 = 0xffff_ffff;
/** Device ids and the times of mappings have 24 bits, data blocks 40. */
const MAX_DEVICE_ID = 0xff_ffff;
const MAX_TIME = 0xff_ffff;
const MAX_NR_DATA_BLOCKS = 2 ** 40;
/** Of virtual blocks and counts: exact as `number`s, and no device gets there (64 KiB blocks: 2^69 bytes). */
const MAX_COUNT = Number.MAX_SAFE_INTEGER;

/** Data block sizes, in sectors: 64 KiB to 1 GiB. */
const MIN_BLOCK_SIZE = 128;
const MAX_BLOCK_SIZE = 2_097_152;

const GRAMMAR = new XmlGrammar('superblock', {
  superblock: {
    required: ['uuid', 'time', 'transaction', 'data_block_size', 'nr_data_blocks'],
    optional: ['flags', 'version', 'metadata_snap'],
    children: ['def', 'device'],
  },
  def: { required: ['name'], children: ['range_mapping', 'single_mapping', 'ref'] },
  device: {
    required: ['dev_id', 'mapped_blocks', 'transaction', 'creation_time', 'snap_time'],
    children: ['range_mapping', 'single_mapping', 'ref'],
  },
  range_mapping: { required: ['origin_begin', 'data_begin', 'length', 'time'] },
  single_mapping: { required: ['origin_block', 'data_block', 'time'] },
  ref: { required: ['name'] },
});

const SUPERBLOCK = GRAMMAR.element('superblock');
const DEF = GRAMMAR.element('def');
const DEVICE = GRAMMAR.element('device');
const RANGE_MAPPING = GRAMMAR.element('range_mapping');
const SINGLE_MAPPING = GRAMMAR.element('single_mapping');

const UUID = GRAMMAR.attribute('uuid');
const TIME = GRAMMAR.attribute('time');
const TRANSACTION = GRAMMAR.attribute('transaction');
const FLAGS = GRAMMAR.attribute('flags');
const VERSION = GRAMMAR.attribute('version');
const DATA_BLOCK_SIZE = GRAMMAR.attribute('data_block_size');
const NR_DATA_BLOCKS = GRAMMAR.attribute('nr_data_blocks');
const METADATA_SNAP = GRAMMAR.attribute('metadata_snap');
const NAME = GRAMMAR.attribute('name');
const DEV_ID = GRAMMAR.attribute('dev_id');
const MAPPED_BLOCKS = GRAMMAR.attribute('mapped_blocks');
const CREATION_TIME = GRAMMAR.attribute('creation_time');
const SNAP_TIME = GRAMMAR.attribute('snap_time');
const ORIGIN_BEGIN = GRAMMAR.attribute('origin_begin');
const DATA_BEGIN = GRAMMAR.attribute('data_begin');
const LENGTH = GRAMMAR.attribute('length');
const ORIGIN_BLOCK = GRAMMAR.attribute('origin_block');
const DATA_BLOCK = GRAMMAR.attribute('data_block');

/** Values to use in place of those in the text, which are then not looked at; but of data blocks there are as many as the larger number says. */
export interface ThinXmlOverrides {
  readonly transaction?: U64;
  /** In 512-byte sectors. */
  readonly dataBlockSize?: number;
  readonly nrDataBlocks?: number;
}

/** How to read. */
export interface ReadThinXmlOptions {
  readonly overrides?: ThinXmlOverrides;
}

/** What is known of the mappings of a def, or of a def or device so far. */
interface Mappings {
  /** The virtual blocks from the first to behind the last. */
  begin: number;
  end: number;
  nrMapped: number;
}

/**
 * Reads thin metadata from XML and gives it to a visitor as it comes. Takes what versions 0.9 and 1.x of the userland tools write;
 * attributes in any order.
 *
 * Constant memory, apart from the ids of devices and the names of defs. Measured by `npx tsx bench/xml.ts`.
 *
 * @param source - The text in pieces, cut anywhere; a piece may be overwritten when the next is asked for.
 * @throws {RangeError} when an override is not a possible number of data blocks.
 * @throws {ParseError} when it is not well-formed or ends too early (see {@link XmlTokenizer}); on unknown, missing, misplaced or
 *   repeated elements and attributes; on numbers out of range; when a name is not that of a def before it; when the
 *   mappings of a def or device do not increase, or are not as many as `mapped_blocks`, or are not below `nr_data_blocks`.
 *   The visitor has then seen all up to there, and no `superblockEnd`.
 */
export function readThinXml(
  source: Iterable<Uint8Array>,
  visitor: ThinVisitor,
  options: ReadThinXmlOptions = {},
): void {
  const tokenizer = thinTokenizer(visitor, options);
  for (const chunk of source) tokenizer.push(chunk);
  tokenizer.end();
}

/** The same as {@link readThinXml} from a source that has to be waited for, such as a stream. The visitor is called between waits. */
export async function readThinXmlAsync(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  visitor: ThinVisitor,
  options: ReadThinXmlOptions = {},
): Promise<void> {
  const tokenizer = thinTokenizer(visitor, options);
  for await (const chunk of source) tokenizer.push(chunk);
  tokenizer.end();
}

function thinTokenizer(visitor: ThinVisitor, { overrides = {} }: ReadThinXmlOptions): XmlTokenizer {
  const { nrDataBlocks = 0 } = overrides;
  if (!(Number.isSafeInteger(nrDataBlocks) && nrDataBlocks >= 0 && nrDataBlocks <= MAX_NR_DATA_BLOCKS)) {
    throw new RangeError(`Cannot read XML: nrDataBlocks is ${nrDataBlocks}, 0 to 2^40 is wanted`);
  }
  return new XmlTokenizer(GRAMMAR.vocabulary, new ThinXmlHandler(visitor, overrides));
}

class ThinXmlHandler implements XmlHandler {
  readonly lines: readonly XmlLine[];
  readonly #visitor: ThinVisitor;
  readonly #overrides: ThinXmlOverrides;
  #nrDataBlocks = 0;
  readonly #devices = new Set<number>();
  /** The defs that have ended. */
  readonly #defs = new Map<string, Readonly<Mappings>>();
  /** The def or device that is open. */
  #mappings: Mappings = { begin: 0, end: 0, nrMapped: 0 };
  #defName = '';
  #devId = 0;
  #mappedBlocks = 0;

  constructor(visitor: ThinVisitor, overrides: ThinXmlOverrides) {
    this.#visitor = visitor;
    this.#overrides = overrides;
    // Mappings as all tools write them, which is nearly all of the text. What is wrong is read as a tag, for an error with its place.
    const single: LineTaker = (values) => this.#takeMapping(values[0]!, values[1]!, 1, values[2]!);
    const range: LineTaker = (values) => this.#takeMapping(values[0]!, values[1]!, values[2]!, values[3]!);
    this.lines = ['device', 'def'].flatMap((parent) => [
      GRAMMAR.line('single_mapping', parent, numbers('origin_block', 'data_block', 'time'), single),
      GRAMMAR.line('range_mapping', parent, numbers('origin_begin', 'data_begin', 'length', 'time'), range),
    ]);
  }

  open(tag: XmlTag): void {
    GRAMMAR.check(tag);
    const { element } = tag;
    if (element === SINGLE_MAPPING) this.#singleMapping(tag);
    else if (element === RANGE_MAPPING) this.#rangeMapping(tag);
    else if (element === DEVICE) this.#device(tag);
    else if (element === DEF) this.#def(tag);
    else if (element === SUPERBLOCK) this.#superblock(tag);
    else this.#ref(tag);
  }

  close(tag: XmlTag): void {
    const { element } = tag;
    if (element === DEVICE) {
      const { nrMapped } = this.#mappings;
      if (nrMapped !== this.#mappedBlocks) {
        throw tag.error(
          `Cannot read <device>: found ${nrMapped} mappings of device ${this.#devId}, mapped_blocks is ${this.#mappedBlocks}`,
        );
      }
      this.#visitor.deviceEnd();
    } else if (element === DEF) {
      this.#defs.set(this.#defName, this.#mappings);
      this.#visitor.defEnd();
    } else if (element === SUPERBLOCK) {
      this.#visitor.superblockEnd();
    }
  }

  #superblock(tag: XmlTag): void {
    const { transaction, dataBlockSize, nrDataBlocks } = this.#overrides;
    const superblock: ThinXmlSuperblock = {
      uuid: tag.text(UUID),
      time: tag.number(TIME, MAX_U32),
      transaction: transaction ?? tag.u64(TRANSACTION),
      ...(tag.has(FLAGS) ? { flags: tag.number(FLAGS, MAX_U32) } : {}),
      version: tag.has(VERSION) ? tag.number(VERSION, MAX_U32) : 2,
      dataBlockSize: dataBlockSize ?? tag.number(DATA_BLOCK_SIZE, MAX_U32),
      nrDataBlocks: Math.max(nrDataBlocks ?? 0, tag.number(NR_DATA_BLOCKS, MAX_NR_DATA_BLOCKS)),
      ...(tag.has(METADATA_SNAP) ? { metadataSnap: tag.number(METADATA_SNAP, MAX_COUNT) } : {}),
    };
    const size = superblock.dataBlockSize;
    if (!(size >= MIN_BLOCK_SIZE && size <= MAX_BLOCK_SIZE && size % MIN_BLOCK_SIZE === 0)) {
      throw tag.error(
        `invalid data block size: found ${size} sectors, a multiple of ${MIN_BLOCK_SIZE} up to ${MAX_BLOCK_SIZE} is wanted`,
        DATA_BLOCK_SIZE,
      );
    }
    this.#nrDataBlocks = superblock.nrDataBlocks;
    this.#visitor.superblockBegin(superblock);
  }

  #def(tag: XmlTag): void {
    const name = tag.text(NAME);
    if (this.#defs.has(name)) throw tag.error(`Cannot read <def>: found the name "${shorten(name)}" again`, NAME);
    this.#defName = name;
    this.#mappings = { begin: 0, end: 0, nrMapped: 0 };
    this.#visitor.defBegin(name);
  }

  #device(tag: XmlTag): void {
    const devId = tag.number(DEV_ID, MAX_DEVICE_ID);
    if (this.#devices.has(devId)) throw tag.error(`Cannot read <device>: found device ${devId} again`, DEV_ID);
    this.#devices.add(devId);
    this.#devId = devId;
    this.#mappedBlocks = tag.number(MAPPED_BLOCKS, MAX_COUNT);
    this.#mappings = { begin: 0, end: 0, nrMapped: 0 };
    this.#visitor.deviceBegin({
      devId,
      mappedBlocks: this.#mappedBlocks,
      transaction: tag.u64(TRANSACTION),
      creationTime: tag.number(CREATION_TIME, MAX_U32),
      snapTime: tag.number(SNAP_TIME, MAX_U32),
    });
  }

  #takeMapping(origin: number, data: number, length: number, time: number): boolean {
    const mappings = this.#mappings;
    const isSound = length > 0 && time <= MAX_TIME && data + length <= this.#nrDataBlocks && origin >= mappings.end;
    if (!isSound) return false;
    this.#extend(origin, origin + length, length);
    this.#visitor.map(origin, data, length, time);
    return true;
  }

  #singleMapping(tag: XmlTag): void {
    const origin = tag.number(ORIGIN_BLOCK, MAX_COUNT - 1);
    const data = tag.number(DATA_BLOCK, MAX_NR_DATA_BLOCKS - 1);
    const time = tag.number(TIME, MAX_TIME);
    this.#checkData(tag, data + 1, DATA_BLOCK);
    this.#append(tag, origin, origin + 1, 1, ORIGIN_BLOCK);
    this.#visitor.map(origin, data, 1, time);
  }

  #rangeMapping(tag: XmlTag): void {
    const origin = tag.number(ORIGIN_BEGIN, MAX_COUNT - 1);
    const data = tag.number(DATA_BEGIN, MAX_NR_DATA_BLOCKS - 1);
    const length = tag.number(LENGTH, Math.min(MAX_NR_DATA_BLOCKS, MAX_COUNT - origin));
    const time = tag.number(TIME, MAX_TIME);
    if (length === 0) throw tag.error('Cannot read <range_mapping>: length is 0, at least 1 is wanted', LENGTH);
    this.#checkData(tag, data + length, DATA_BEGIN);
    this.#append(tag, origin, origin + length, length, ORIGIN_BEGIN);
    this.#visitor.map(origin, data, length, time);
  }

  #ref(tag: XmlTag): void {
    const name = tag.text(NAME);
    const def = this.#defs.get(name);
    if (def === undefined)
      throw tag.error(`Cannot read <ref>: found "${shorten(name)}", the name of a <def> above is wanted`, NAME);
    if (def.nrMapped > 0) this.#append(tag, def.begin, def.end, def.nrMapped, NAME);
    this.#visitor.ref(name);
  }

  #checkData(tag: XmlTag, end: number, attribute: number): void {
    if (end <= this.#nrDataBlocks) return;
    throw tag.error(
      `Cannot read <${tag.name}>: found data block ${end - 1}, nr_data_blocks is ${this.#nrDataBlocks}`,
      attribute,
    );
  }

  /** Adds virtual blocks to the def or device that is open. */
  #append(tag: XmlTag, begin: number, end: number, nrMapped: number, attribute: number): void {
    if (begin < this.#mappings.end) throw this.#disorder(tag, begin, attribute);
    this.#extend(begin, end, nrMapped);
  }

  #extend(begin: number, end: number, nrMapped: number): void {
    const mappings = this.#mappings;
    if (mappings.nrMapped === 0) mappings.begin = begin;
    mappings.end = end;
    mappings.nrMapped += nrMapped;
  }

  #disorder(tag: XmlTag, begin: number, attribute: number): ParseError {
    const { end } = this.#mappings;
    assert(begin < end, 'the mapping is not behind the last');
    return tag.error(
      `Cannot read <${tag.name}>: found virtual block ${begin} behind ${end - 1}, device mappings in increasing order are wanted`,
      attribute,
    );
  }
}

/** The attributes of a line, all numbers. */
function numbers(...names: string[]): (readonly [name: string, value: 'number'])[] {
  return names.map((name) => [name, 'number']);
}
