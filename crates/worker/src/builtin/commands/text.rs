//! Text that need not be UTF-8: what the system takes and gives as names, and what programs print.
//!
//! In JSON it is a string, or, if it is no UTF-8, an array of its bytes: so nothing is lost.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Text that need not be UTF-8. In JSON: a string, or an array of bytes.
///
/// ```
/// use brigade::builtin::Text;
///
/// let name = Text::from("menu.txt");
/// assert_eq!(name.as_bytes(), b"menu.txt");
/// assert_eq!(serde_json::to_string(&name)?, "\"menu.txt\"");
/// assert_eq!(serde_json::to_string(&Text::from(vec![b'a', 0xff]))?, "[97,255]");
/// # Ok::<(), brigade::Error>(())
/// ```
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Text(Vec<u8>);

impl Text {
    /// Its bytes.
    ///
    /// ```
    /// use brigade::builtin::Text;
    ///
    /// assert_eq!(Text::from("ä").as_bytes(), [0xc3, 0xa4]);
    /// ```
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Itself as what the standard library takes for names of files, words and variables.
    ///
    /// ```
    /// use brigade::builtin::Text;
    ///
    /// assert!(std::path::Path::new(Text::from("/").as_os_str()).is_dir());
    /// ```
    pub fn as_os_str(&self) -> &OsStr {
        OsStr::from_bytes(&self.0)
    }

    /// What of it is UTF-8; in the place of what is not stands U+FFFD.
    ///
    /// ```
    /// use brigade::builtin::Text;
    ///
    /// assert_eq!(Text::from(vec![b'a', 0xff]).to_string_lossy(), "a\u{fffd}");
    /// ```
    pub fn to_string_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }

    /// Its bytes, for good.
    ///
    /// ```
    /// use brigade::builtin::Text;
    ///
    /// assert_eq!(String::from_utf8(Text::from("menu").into_bytes())?, "menu");
    /// # Ok::<(), brigade::Error>(())
    /// ```
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(text.into_bytes())
    }
}

impl From<&OsStr> for Text {
    fn from(text: &OsStr) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl From<OsString> for Text {
    fn from(text: OsString) -> Self {
        Self(text.into_vec())
    }
}

impl From<Vec<u8>> for Text {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_os_str().fmt(f)
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_bytes(&self.0);
        }
        match str::from_utf8(&self.0) {
            Ok(text) => serializer.serialize_str(text),
            Err(_) => self.0.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(Reader)
        } else {
            deserializer.deserialize_byte_buf(Reader)
        }
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string, or an array of bytes if it is not UTF-8")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Text, E> {
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Text, E> {
        Ok(text.into())
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Text, E> {
        Ok(Text(bytes.to_vec()))
    }

    fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Text, E> {
        Ok(Text(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Text, A::Error> {
        let mut bytes = Vec::new();
        while let Some(byte) = elements.next_element()? {
            bytes.push(byte);
        }
        Ok(Text(bytes))
    }
}

#[cfg(test)]
mod tests {
    use brigade_protocol::codec;

    use super::*;

    #[test]
    fn nothing_is_lost_in_json_or_bincode() {
        for bytes in
            [&b""[..], b"0123", b"\"x", b"a b\n\0", "\u{e4}".as_bytes(), b"\xff\xfe", b"a\xc3"]
        {
            let text = Text(bytes.to_vec());
            let json = serde_json::to_string(&text).unwrap();
            assert_eq!(serde_json::from_str::<Text>(&json).unwrap(), text, "{json}");
            let mut encoded = Vec::new();
            codec::encode_value(&text, &mut encoded).unwrap();
            assert_eq!(codec::decode_value::<Text>(&encoded).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for json in ["5", "true", "null", "[256]", "[\"a\"]", "{}"] {
            let error = serde_json::from_str::<Text>(json).unwrap_err().to_string();
            assert!(error.contains("expected"), "{error}");
        }
    }
}
