import fc from 'fast-check';

/** Text of any code points, unpaired surrogates too. (fast-check's own `binary` strings take seconds to set up.) */
export const anyText = (maxLength = 100): fc.Arbitrary<string> =>
  fc
    .array(
      fc.oneof(
        fc.integer({ min: 0, max: 0x10ffff }),
        fc.integer({ min: 0, max: 0x2fff }),
        fc.integer({ min: 0, max: 0x7f }),
      ),
      { maxLength },
    )
    .map((points) => String.fromCodePoint(...points));
