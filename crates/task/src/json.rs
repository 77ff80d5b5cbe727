//! Arguments from JSON text, for callers that do not know a task's types.
//!
//! The text is split into one slice per argument without being built into a tree, and each slice is
//! converted by the type that the task itself has for it. What is wrong is said in the task's own
//! names, for the person who wrote the text.
//!
//! It does not know where the text comes from, and does not convert between other formats and JSON.

use std::fmt;

use brigade_protocol::message::{TaskError, TaskErrorKind};
use serde::de::value::Error as Absent;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Serialize, forward_to_deserialize_any};
use serde_json::value::{RawValue, to_raw_value};

use crate::task::{Parameter, Task};

/// The longest tuple that serde knows.
const MOST: usize = 16;

/// The tuple of all arguments of a task.
#[doc(hidden)]
pub trait Arguments: DeserializeOwned {
    /// Converts each argument, in order.
    fn convert(given: &mut Given<'_>) -> Result<Self, TaskError>;
}

impl Arguments for () {
    fn convert(_: &mut Given<'_>) -> Result<Self, TaskError> {
        Ok(())
    }
}

/// For each tail of the list, down to a single type.
macro_rules! arguments {
    () => {};
    ($first:ident $($rest:ident)*) => {
        impl<$first: DeserializeOwned, $($rest: DeserializeOwned),*> Arguments for ($first, $($rest,)*) {
            fn convert(given: &mut Given<'_>) -> Result<Self, TaskError> {
                Ok((given.next::<$first>()?, $(given.next::<$rest>()?,)*))
            }
        }
        arguments!($($rest)*);
    };
}

arguments!(A B C D E F G H I J K L M N O P);

/// Reads arguments from JSON text: an array gives them by position, an object by name, anything
/// else is the only argument.
pub(crate) fn read<A: Arguments>(task: &Task, bytes: &[u8]) -> Result<A, TaskError> {
    let text = text(bytes)?;
    let mut given = Given::nothing(task);
    given.split(text)?;
    A::convert(&mut given)
}

/// Reads the only argument from a word as a person types it: as JSON if its type takes that, else
/// as a string. An array or object is read as [`read`] does.
pub(crate) fn read_word<A: Arguments>(task: &Task, bytes: &[u8]) -> Result<A, TaskError> {
    let word = text(bytes)?;
    let json = serde_json::from_str::<&RawValue>(word).ok();
    if json.is_some_and(|json| json.get().starts_with(['[', '{'])) {
        return read(task, bytes);
    }
    match task.parameters.len() {
        1 => {}
        0 if json.is_some_and(|json| json.get() == "null") => {
            return A::convert(&mut Given::nothing(task));
        }
        count => return Err(not_one(task, count)),
    }
    let as_json = match json.map(|json| A::convert(&mut Given::only(task, json))) {
        Some(Ok(arguments)) => return Ok(arguments),
        Some(Err(error)) => Some(error),
        None => None,
    };
    let quoted = to_raw_value(word).map_err(|error| bad(error.to_string()))?;
    let as_string = A::convert(&mut Given::only(task, &quoted));
    as_string.map_err(|error| as_json.unwrap_or(error))
}

/// Appends a result as one line of JSON text; floats that JSON has no words for become `null`.
pub(crate) fn write<T: Serialize>(result: &T, output: &mut Vec<u8>) -> Result<(), TaskError> {
    let before = output.len();
    serde_json::to_writer(&mut *output, result).map_err(|error| {
        output.truncate(before);
        TaskError::new(TaskErrorKind::BadOutput, format!("cannot write the result: {error}"))
    })?;
    // Only raw JSON that a task passes on has line ends, and they are never inside of a string.
    for byte in &mut output[before..] {
        *byte = if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte };
    }
    Ok(())
}

/// The JSON text of each argument that was given, and how far conversion has come.
#[doc(hidden)]
pub struct Given<'a> {
    task: &'a Task,
    texts: [Option<&'a RawValue>; MOST],
    /// Whether they were given by name.
    by_name: bool,
    next: usize,
}

impl<'a> Given<'a> {
    fn nothing(task: &'a Task) -> Self {
        Self { task, texts: [None; MOST], by_name: false, next: 0 }
    }

    fn only(task: &'a Task, argument: &'a RawValue) -> Self {
        let mut given = Self::nothing(task);
        given.texts[0] = Some(argument);
        given
    }

    /// Converts the next argument; one that is missing is `None` if its type is an `Option`.
    fn next<T: DeserializeOwned>(&mut self) -> Result<T, TaskError> {
        let parameter = &self.task.parameters[self.next];
        let text = self.texts[self.next];
        self.next += 1;
        match text {
            Some(text) => {
                serde_json::from_str(text.get()).map_err(|error| mismatch(parameter, text, &error))
            }
            None => T::deserialize(Missing).map_err(|_| self.missing(parameter)),
        }
    }

    /// Sorts arguments into `texts`.
    fn split(&mut self, text: &'a str) -> Result<(), TaskError> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let split = match text.trim_start().as_bytes().first() {
            Some(b'[') => deserializer.deserialize_seq(Split(self)),
            Some(b'{') => deserializer.deserialize_map(Split(self)),
            _ => {
                serde::Deserialize::deserialize(&mut deserializer).map(|only| self.take_only(only))
            }
        };
        let whole = split.and_then(|split| deserializer.end().map(|()| split));
        whole.map_err(|error| bad(format!("the arguments are not JSON: {error}")))?
    }

    fn take_only(&mut self, argument: &'a RawValue) -> Result<(), TaskError> {
        if !self.task.parameters.is_empty() {
            self.texts[0] = Some(argument);
        } else if argument.get() != "null" {
            return Err(too_many(self.task, 1));
        }
        Ok(())
    }

    fn missing(&self, parameter: &Parameter) -> TaskError {
        if self.by_name && self.task.parameters.len() == 1 {
            return not_by_name(self.task, parameter);
        }
        bad(format!("missing argument \"{}\"; {}", parameter.name, takes(self.task)))
    }
}

/// Sorts the elements of an array or object. The inner error is the person's, the outer one JSON's.
struct Split<'g, 'a>(&'g mut Given<'a>);

impl<'a> Visitor<'a> for Split<'_, 'a> {
    type Value = Result<(), TaskError>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("arguments")
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut elements: S) -> Result<Self::Value, S::Error> {
        let Given { task, texts, .. } = self.0;
        let mut count = 0;
        while let Some(text) = elements.next_element()? {
            if let Some(place) = texts.get_mut(count) {
                *place = Some(text);
            }
            count += 1;
        }
        Ok(if count > task.parameters.len() { Err(too_many(task, count)) } else { Ok(()) })
    }

    fn visit_map<M: MapAccess<'a>>(self, mut entries: M) -> Result<Self::Value, M::Error> {
        let Given { task, texts, by_name, .. } = self.0;
        *by_name = true;
        let mut unknown = None;
        let mut twice = None;
        while let Some(name) = entries.next_key_seed(Name(task))? {
            let text = entries.next_value()?;
            match name {
                Ok(index) if texts[index].replace(text).is_some() => twice = Some(index),
                Ok(_) => {}
                Err(name) => unknown = Some(name),
            }
        }
        Ok(match (unknown, twice, task.parameters) {
            (Some(_), _, [only]) if texts[0].is_none() => Err(not_by_name(task, only)),
            (Some(name), ..) => Err(bad(format!("unknown argument {name:?}; {}", takes(task)))),
            (None, Some(index), parameters) => {
                Err(bad(format!("argument \"{}\" is given twice", parameters[index].name)))
            }
            (None, None, _) => Ok(()),
        })
    }
}

/// The key of an object: which parameter it names, or itself if it names none.
struct Name<'t>(&'t Task);

impl<'a> DeserializeSeed<'a> for Name<'_> {
    type Value = Result<usize, String>;

    fn deserialize<D: Deserializer<'a>>(self, key: D) -> Result<Self::Value, D::Error> {
        key.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = Result<usize, String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an argument")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        let index = self.0.parameters.iter().position(|parameter| parameter.name == name);
        Ok(index.ok_or_else(|| name.to_owned()))
    }
}

/// What is deserialized where there is no argument: only an option can be had from it.
struct Missing;

impl<'de> Deserializer<'de> for Missing {
    type Error = Absent;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Absent> {
        Err(serde::de::Error::custom("missing"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Absent> {
        visitor.visit_none()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Absent> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

fn text(bytes: &[u8]) -> Result<&str, TaskError> {
    std::str::from_utf8(bytes).map_err(|error| bad(format!("the arguments are not UTF-8: {error}")))
}

pub(crate) fn bad(message: impl Into<String>) -> TaskError {
    TaskError::new(TaskErrorKind::BadArguments, message)
}

fn mismatch(parameter: &Parameter, text: &RawValue, error: &serde_json::Error) -> TaskError {
    let mut message = error.to_string();
    // A place helps in a long value; in a single one it only distracts.
    if !text.get().starts_with(['[', '{']) {
        let place = format!(" at line {} column {}", error.line(), error.column());
        message.truncate(message.strip_suffix(&place).unwrap_or(&message).len());
    }
    bad(format!("argument \"{}\" ({}): {message}", parameter.name, parameter.kind))
}

fn too_many(task: &Task, count: usize) -> TaskError {
    let plural = if count == 1 { "" } else { "s" };
    let takes = match task.parameters.len() {
        0 => takes(task),
        taken => format!("{} takes {taken}: {}", task.name, names(task)),
    };
    bad(format!("{count} argument{plural} given; {takes}"))
}

fn not_one(task: &Task, count: usize) -> TaskError {
    if count == 0 {
        return bad(format!("{}: pass it '[]'", takes(task)));
    }
    let dots = vec!["…"; count].join(", ");
    let pairs = task.parameters.iter().map(|parameter| format!("\"{}\": …", parameter.name));
    let pairs = pairs.collect::<Vec<_>>().join(", ");
    bad(format!(
        "{} takes {count} arguments ({}): pass them as '[{dots}]' or '{{{pairs}}}'",
        task.name,
        names(task)
    ))
}

fn not_by_name(task: &Task, only: &Parameter) -> TaskError {
    bad(format!(
        "an object passes arguments by name, and this one has no \"{}\", which is what {} takes; \
         to pass the object itself, wrap it in an array: [{{…}}]",
        only.name, task.name
    ))
}

fn takes(task: &Task) -> String {
    match task.parameters {
        [] => format!("{} takes no arguments", task.name),
        _ => format!("{} takes {}", task.name, names(task)),
    }
}

fn names(task: &Task) -> String {
    let names: Vec<_> = task.parameters.iter().map(|parameter| parameter.name).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
