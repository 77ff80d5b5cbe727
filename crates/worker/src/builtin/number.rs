//! A number that stays whole as long as it can.
//!
//! JSON does not say whether a number is whole by type, and 25 must not come back as 25.0. Nothing
//! here has more than 128 bits: a whole JSON number beyond 64 bits is read as a fraction.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A whole number or a fraction.
///
/// ```
/// use brigade::builtin::Number::{Float, Integer};
///
/// assert_eq!([Integer(25), Float(25.0)].map(|number| number.to_string()), ["25", "25"]);
/// assert_ne!(Integer(25), Float(25.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// Without a fractional part.
    Integer(i128),
    /// Anything else.
    Float(f64),
}

impl Number {
    /// Twice this number; a whole one stays whole or is `None`.
    ///
    /// ```
    /// use brigade::builtin::Number::{Float, Integer};
    ///
    /// assert_eq!(Integer(21).double(), Some(Integer(42)));
    /// assert_eq!(Float(0.5).double(), Some(Float(1.0)));
    /// assert_eq!(Integer(i128::MAX).double(), None);
    /// ```
    pub fn double(self) -> Option<Self> {
        match self {
            Self::Integer(number) => number.checked_mul(2).map(Self::Integer),
            Self::Float(number) => Some(Self::Float(number * 2.0)),
        }
    }

    /// This number to the power of another, whole if both are and the result fits.
    ///
    /// ```
    /// use brigade::builtin::Number::{Float, Integer};
    ///
    /// assert_eq!(Integer(2).pow(Integer(10)), Integer(1024));
    /// assert_eq!(Integer(2).pow(Integer(-1)), Float(0.5));
    /// ```
    #[must_use]
    pub fn pow(self, exponent: Self) -> Self {
        self.pow_whole(exponent)
            .map_or_else(|| Self::Float(self.as_float().powf(exponent.as_float())), Self::Integer)
    }

    fn pow_whole(self, exponent: Self) -> Option<i128> {
        let (Self::Integer(base), Self::Integer(exponent)) = (self, exponent) else { return None };
        // Of 0, 1 and -1 any power is whole, and only the exponent's parity matters above one.
        let small = (-1..=1).contains(&base) && exponent > 1;
        let exponent = if small { 2 + exponent % 2 } else { exponent };
        base.checked_pow(u32::try_from(exponent).ok()?)
    }

    fn as_float(self) -> f64 {
        match self {
            #[expect(clippy::cast_precision_loss, reason = "a fraction is asked for")]
            Self::Integer(number) => number as f64,
            Self::Float(number) => number,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(number) => number.fmt(f),
            Self::Float(number) => number.fmt(f),
        }
    }
}

/// How it travels in formats that do not tell a whole number from a fraction.
#[derive(Serialize, Deserialize)]
enum Tagged {
    Integer(i128),
    Float(f64),
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let readable = serializer.is_human_readable();
        match *self {
            Self::Integer(number) if readable => number.serialize(serializer),
            Self::Float(number) if readable => number.serialize(serializer),
            Self::Integer(number) => Tagged::Integer(number).serialize(serializer),
            Self::Float(number) => Tagged::Float(number).serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_any(Any);
        }
        Ok(match Tagged::deserialize(deserializer)? {
            Tagged::Integer(number) => Self::Integer(number),
            Tagged::Float(number) => Self::Float(number),
        })
    }
}

struct Any;

impl Visitor<'_> for Any {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Number, E> {
        Ok(Number::Integer(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Number, E> {
        Ok(Number::Integer(number.into()))
    }

    fn visit_i128<E: Error>(self, number: i128) -> Result<Number, E> {
        Ok(Number::Integer(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Number, E> {
        Ok(Number::Float(number))
    }
}

#[cfg(test)]
mod tests {
    use brigade_protocol::codec;

    use super::Number::{Float, Integer};
    use super::*;

    #[test]
    fn json_tells_whole_numbers_by_their_looks() {
        for (text, number) in [
            ("25", Integer(25)),
            ("-25", Integer(-25)),
            ("18446744073709551615", Integer(u64::MAX.into())),
            ("25.0", Float(25.0)),
            ("1e3", Float(1000.0)),
        ] {
            assert_eq!(serde_json::from_str::<Number>(text).unwrap(), number);
        }
        assert_eq!(serde_json::to_string(&[Integer(25), Float(25.0)]).unwrap(), "[25,25.0]");
    }

    #[test]
    fn bincode_keeps_what_it_is() {
        for number in [Integer(i128::MIN), Integer(25), Float(25.0), Float(f64::INFINITY)] {
            let mut bytes = Vec::new();
            codec::encode_value(&number, &mut bytes).unwrap();
            assert_eq!(codec::decode_value::<Number>(&bytes).unwrap(), number);
        }
    }

    #[test]
    fn powers_stay_whole_while_they_fit() {
        assert_eq!(Integer(-3).pow(Integer(3)), Integer(-27));
        assert_eq!(Integer(2).pow(Integer(126)), Integer(1 << 126));
        assert_eq!(Integer(2).pow(Integer(127)), Float(2_f64.powi(127)));
        assert_eq!(Integer(2).pow(Integer(-2)), Float(0.25));
        assert_eq!(Integer(4).pow(Float(0.5)), Float(2.0));
        assert_eq!(Float(0.5).pow(Integer(2)), Float(0.25));
    }

    #[test]
    fn powers_of_one_and_zero_have_no_limit() {
        let large = 5_000_000_000;
        assert_eq!(Integer(1).pow(Integer(large)), Integer(1));
        assert_eq!(Integer(-1).pow(Integer(large)), Integer(1));
        assert_eq!(Integer(-1).pow(Integer(large + 1)), Integer(-1));
        assert_eq!(Integer(0).pow(Integer(large)), Integer(0));
        assert_eq!(Integer(0).pow(Integer(0)), Integer(1));
    }
}
