import { describe, expect, test } from 'vitest';
import { AssertionError } from '../base/index.ts';
import { XmlWriter } from './xml-writer.ts';

function written(write: (writer: XmlWriter) => void): string {
  let text = '';
  const writer = new XmlWriter((bytes) => {
    text += new TextDecoder().decode(bytes);
  });
  write(writer);
  writer.flush();
  return text;
}

describe('`XmlWriter`', () => {
  test('writes one tag per line, indented, without a line feed at the end', () => {
    const text = written((xml) => {
      xml.open('list', { name: '', size: 3, id: 2n ** 64n - 1n });
      xml.open('empty');
      xml.close();
      xml.open('full');
      xml.empty('item', { size: 1, colour: undefined });
      xml.empty('item');
      xml.close();
      xml.close();
    });
    expect(text).toBe(`<list name="" size="3" id="18446744073709551615">
  <empty>
  </empty>
  <full>
    <item size="1"/>
    <item/>
  </full>
</list>`);
  });

  test('escapes what would mean something', () => {
    const text = written((xml) => xml.empty('a', { b: '<&>"\'\t\n\r\u00fc\u{1F600}' }));
    expect(text).toBe('<a b="&lt;&amp;&gt;&quot;\'&#9;&#10;&#13;\u00fc\u{1F600}"/>');
  });

  test.each(['\u0000', '\u001f', '\uffff', '\ud800', 'x\udc00x'])('refuses %j, which XML cannot have', (b) => {
    expect(() => written((xml) => xml.empty('a', { b }))).toThrow(/^Cannot write attribute b: found the character U\+/);
  });

  test('refuses numbers that are no u64', () => {
    expect(() => written((xml) => xml.empty('a', { b: -1 }))).toThrow(RangeError);
  });

  test('insists on an element to close', () => {
    expect(() => written((xml) => xml.close())).toThrow(AssertionError);
  });
});
