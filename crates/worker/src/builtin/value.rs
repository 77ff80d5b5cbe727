//! Any JSON value, passed on as it was written.
//!
//! Kept as text, so that nothing is lost on the way: large numbers, the order of keys, keys that
//! come twice. It cannot be looked into.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A JSON value.
///
/// ```
/// use brigade::builtin::Value;
///
/// let value = Value::from_json(r#"{"b": 1.50, "a": []}"#)?;
/// assert_eq!(value.json(), r#"{"b": 1.50, "a": []}"#);
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Value(Box<RawValue>);

impl Value {
    /// The value that this JSON text stands for.
    ///
    /// ```
    /// use brigade::builtin::Value;
    ///
    /// assert!(Value::from_json("[1, 2]").is_ok());
    /// assert!(Value::from_json("[1, 2").is_err());
    /// ```
    pub fn from_json(text: impl Into<String>) -> Result<Self, serde_json::Error> {
        RawValue::from_string(text.into()).map(Self)
    }

    /// Its JSON text.
    ///
    /// ```
    /// use brigade::builtin::Value;
    ///
    /// assert_eq!(Value::from_json("1.50")?.json(), "1.50");
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn json(&self) -> &str {
        self.0.get()
    }

    /// A string without its quotes, anything else as JSON. A string that is not Unicode (half of a
    /// surrogate pair) stays JSON as well.
    ///
    /// ```
    /// use brigade::builtin::Value;
    ///
    /// assert_eq!(Value::from_json("\"two words\"")?.text(), "two words");
    /// assert_eq!(Value::from_json("[1, 2]")?.text(), "[1, 2]");
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn text(&self) -> Cow<'_, str> {
        if self.json().starts_with('"') {
            serde_json::from_str(self.json()).map_or(Cow::Borrowed(self.json()), Cow::Owned)
        } else {
            Cow::Borrowed(self.json())
        }
    }
}

/// Equal if written alike: `1.0` is not `1`.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        self.json() == other.json()
    }
}

impl Eq for Value {}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            self.0.serialize(serializer)
        } else {
            self.json().serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            Box::deserialize(deserializer).map(Self)
        } else {
            Self::from_json(String::deserialize(deserializer)?).map_err(D::Error::custom)
        }
    }
}

#[cfg(test)]
mod tests {
    use brigade_protocol::codec;

    use super::*;

    #[test]
    fn a_value_is_its_text() {
        for text in ["null", "1.50", r#"{"b": 1, "b": 2, "a": [12345678901234567890123]}"#] {
            let value: Value = serde_json::from_str(text).unwrap();
            assert_eq!(value.json(), text);
            assert_eq!(serde_json::to_string(&value).unwrap(), text);
        }
    }

    #[test]
    fn bincode_carries_json_and_nothing_else() {
        let mut bytes = Vec::new();
        codec::encode_value(&Value::from_json("[1, 2]").unwrap(), &mut bytes).unwrap();
        assert_eq!(codec::decode_value::<Value>(&bytes).unwrap().json(), "[1, 2]");
        let mut bytes = Vec::new();
        codec::encode_value("[1, 2", &mut bytes).unwrap();
        assert!(codec::decode_value::<Value>(&bytes).is_err());
    }

    #[test]
    fn text_is_raw_for_strings_alone() {
        let text = |json: &str| Value::from_json(json).unwrap().text().into_owned();
        assert_eq!(text(r#""a\n\u00e9""#), "a\né");
        assert_eq!(text("[\"a\"]"), "[\"a\"]");
        assert_eq!(text(r#""\ud800""#), r#""\ud800""#);
    }
}
