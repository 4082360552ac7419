/**
 * `xml`: streaming XML tokenizer and writer, without any grammar.
 *
 * @module
 */
export {};
