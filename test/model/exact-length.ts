import fc from 'fast-check';

/**
 * Lists of exactly so many items, which shrink to shorter ones. `fc.array` draws short lists as often as long ones, `fc.commands` wants a
 * second path to replay a failure; commands that are plain data want neither.
 */
export class ExactLength<T> extends fc.Arbitrary<T[]> {
  readonly #exact: fc.Arbitrary<T[]>;
  readonly #shorter: fc.Arbitrary<T[]>;

  /** @param item - Has to be one whose values shrink without context: made of constants, numbers, tuples and records. */
  constructor(item: fc.Arbitrary<T>, length: number) {
    super();
    this.#exact = fc.array(item, { minLength: length, maxLength: length, size: 'max' });
    this.#shorter = fc.array(item, { maxLength: length, size: 'max' });
  }

  generate(random: fc.Random): fc.Value<T[]> {
    // Without bias, which would prefer small numbers.
    return new fc.Value(this.#exact.generate(random, undefined).value, undefined);
  }

  canShrinkWithoutContext(value: unknown): value is T[] {
    return this.#shorter.canShrinkWithoutContext(value);
  }

  shrink(value: T[], context: unknown): fc.Stream<fc.Value<T[]>> {
    return this.#shorter.shrink(value, context);
  }
}
