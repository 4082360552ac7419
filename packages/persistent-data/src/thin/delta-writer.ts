import type { U64 } from '../base/index.ts';
import { type ByteSink, Literal, XmlWriter } from '../xml/index.ts';
import type { DeltaKind, DeltaVisitor } from './delta.ts';
import type { ThinXmlSuperblock } from './visitor.ts';

/** A side of a comparison as the XML names it: a device, or the root of a tree. */
export interface DeltaSide {
  readonly device?: number;
  readonly root?: number;
}

const KINDS: readonly DeltaKind[] = ['same', 'different', 'left_only', 'right_only'];
const OPEN = Object.fromEntries(KINDS.map((kind) => [kind, new Literal(`\n    <${kind} begin="`)]));
const LENGTH = new Literal('" length="');
const END = new Literal('"/>');
const RANGE = new Literal('\n      <range begin="');
const DATA = new Literal('" data_begin="');
const LEFT_DATA = new Literal('" left_data_begin="');
const RIGHT_DATA = new Literal('" right_data_begin="');

/** Writes what `thinDelta` finds as XML, to the byte as version 1.x of `thin_delta`. */
export class ThinDeltaWriter {
  /** Takes the differences. */
  readonly visit: DeltaVisitor;
  readonly #xml: XmlWriter;
  /** In verbose XML, the element that is open. */
  #open: DeltaKind | undefined;

  constructor(sink: ByteSink, options: { readonly isVerbose?: boolean } = {}) {
    this.#xml = new XmlWriter(sink);
    this.visit = options.isVerbose ? this.#verbose : this.#plain;
  }

  begin(superblock: ThinXmlSuperblock, left: DeltaSide, right: DeltaSide): void {
    this.#xml.open('superblock', {
      uuid: superblock.uuid,
      time: superblock.time,
      transaction: superblock.transaction,
      data_block_size: superblock.dataBlockSize,
      nr_data_blocks: superblock.nrDataBlocks,
    });
    const attributes: Record<string, U64 | undefined> = {
      left: left.device,
      left_root: left.root,
      right: right.device,
      right_root: right.root,
    };
    this.#xml.open('diff', attributes);
  }

  end(): void {
    if (this.#open !== undefined) this.#xml.close();
    this.#xml.close();
    this.#xml.close();
    this.#xml.flush();
  }

  readonly #plain: DeltaVisitor = (kind, begin, length) => {
    const xml = this.#xml;
    xml.two(OPEN[kind]!, begin, LENGTH, length, END);
  };

  readonly #verbose: DeltaVisitor = (kind, begin, length, leftData, rightData) => {
    const xml = this.#xml;
    if (kind !== this.#open) {
      if (this.#open !== undefined) xml.close();
      xml.open(kind);
      this.#open = kind;
    }
    xml.literal(RANGE);
    xml.decimal(begin);
    if (kind === 'different') {
      xml.literal(LEFT_DATA);
      xml.decimal(leftData);
      xml.literal(RIGHT_DATA);
      xml.decimal(rightData);
    } else {
      xml.literal(DATA);
      xml.decimal(kind === 'right_only' ? rightData : leftData);
    }
    xml.literal(LENGTH);
    xml.decimal(length);
    xml.literal(END);
  };
}
