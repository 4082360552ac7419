/**
 * xml: a streaming tokenizer and a writer of XML, without any grammar; the grammars are in `thin/xml.ts`, `cache/xml.ts` and
 * `era/xml.ts`.
 *
 * Promises constant memory whatever the document, and errors with line and column. Works on bytes; imports `base` only. The
 * kernel has no counterpart: XML is how the userland tools show metadata to people and to each other.
 *
 * @module
 */

export { shorten } from './decode.ts';
export { type XmlElementRule, XmlGrammar } from './grammar.ts';
export type { LineTaker, LineValue, XmlLine } from './line.ts';
export { Literal } from './put-text.ts';
export type { XmlTag } from './tag.ts';
export { type ByteSink, TextWriter } from './text-writer.ts';
export { type XmlHandler, XmlTokenizer } from './tokenizer.ts';
export { UNKNOWN, XmlVocabulary } from './vocabulary.ts';
export { type XmlAttributes, XmlWriter } from './xml-writer.ts';
