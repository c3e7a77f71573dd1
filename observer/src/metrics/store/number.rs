//! Numbers in two bytes: a measured value needs a wide range, and no more than three digits.

/// The least power of two that is told from zero.
const LEAST: u16 = 16;
/// Bits of the fraction: values are right to a thousandth of themselves.
const FRACTION_BITS: u32 = 10;
/// What stands for no value.
pub(super) const NONE: u16 = u16::MAX;
/// Exponent of the least value, as the bits of an `f64` hold it.
const BASE: u64 = (1_023 - LEAST as u64) << FRACTION_BITS;

/// The number closest to `value`, from 2⁻¹⁶ to 2⁴⁷, or zero. What is less than half the least or no number is zero;
/// what is greater than the greatest is the greatest.
pub(super) fn shorten(value: f64) -> u16 {
    if value.is_nan() || value < f64::exp2(-f64::from(LEAST)) / 2.0 {
        return 0;
    }
    // The bits of a positive float grow with it, so adding half of what is cut off rounds, carry into the exponent
    // included.
    let cut = 52 - FRACTION_BITS;
    let bits = value.to_bits().saturating_add(1 << (cut - 1)) >> cut;
    let place = bits.saturating_sub(BASE) + 1;
    u16::try_from(place).map_or(NONE - 1, |place| place.min(NONE - 1))
}

/// The value of a number; none for [`NONE`].
pub(super) fn lengthen(number: u16) -> Option<f64> {
    match number {
        NONE => None,
        0 => Some(0.0),
        _ => Some(f64::from_bits((u64::from(number) - 1 + BASE) << (52 - FRACTION_BITS))),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_that_are_powers_of_two_are_exact() {
        for power in -16..47 {
            let value = f64::exp2(f64::from(power));
            assert_eq!(lengthen(shorten(value)), Some(value));
        }
        assert_eq!(lengthen(NONE), None);
        for none in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY, 1e-9] {
            assert_eq!(lengthen(shorten(none)), Some(0.0), "{none}");
        }
        for great in [1e15, f64::MAX, f64::INFINITY] {
            assert!(lengthen(shorten(great)).is_some_and(|shown| shown > 1.4e14), "{great}");
        }
    }

    proptest! {
        #[test]
        fn every_value_is_right_to_a_thousandth(value in 1.6e-5..1.4e14) {
            let shown = lengthen(shorten(value)).expect("is a number");
            prop_assert!((shown - value).abs() <= value / 2_000.0, "{value} is shown as {shown}");
        }

        #[test]
        fn greater_values_have_greater_numbers(one in 0.0..1e15, other in 0.0..1e15) {
            prop_assert!((one <= other) == (shorten(one) <= shorten(other)) || shorten(one) == shorten(other));
        }

        #[test]
        fn numbers_keep_their_value(number in 0..NONE) {
            prop_assert_eq!(shorten(lengthen(number).expect("is a number")), number);
        }
    }
}
