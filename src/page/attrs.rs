//! Values for the `data-lv-*` attributes, written from Rust types.

use serde::Serialize;
use serde::ser::{self, Impossible};

/// Writes an event as an attribute's value: a name as it is, an enum as its variant and fields.
///
/// The value works for every attribute that names an event, and for the recommended form of a click,
/// `<button form="lv" name="lv" value=..>`, which needs no scripts. [`Event::decode`](crate::Event::decode) reads the same enum back.
///
/// # Shape
///
/// `Inc?by=1` for `Do::Inc { by: 1 }`, `Reset` for `Do::Reset`; fields as in a URL's query. A shape that an event cannot
/// have (unnamed fields, nested structs) is logged as an error and written as `lv-invalid-event`, which no handler knows.
///
/// # Example
///
/// ```
/// use mizu::lv;
///
/// #[derive(serde::Serialize)]
/// enum Do { Inc { by: i64 }, Reset }
///
/// assert_eq!(lv::event(Do::Inc { by: 1 }), "Inc?by=1");
/// assert_eq!(lv::event(Do::Reset), "Reset");
/// assert_eq!(lv::event("save"), "save");
/// ```
pub fn event(event: impl Serialize) -> String {
    event.serialize(Name).unwrap_or_else(|error| {
        tracing::error!(%error, event = std::any::type_name_of_val(&event), "this can't be written as an event");
        "lv-invalid-event".to_owned()
    })
}

/// Accepts what can name an event: text, and enums with unit, struct and newtype variants.
struct Name;

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Shape(String);

impl ser::Error for Shape {
    fn custom<T: std::fmt::Display>(reason: T) -> Self {
        Self(reason.to_string())
    }
}

/// A variant's name and the fields written so far.
struct Fields {
    variant: &'static str,
    query: String,
}

impl Fields {
    fn new(variant: &'static str) -> Self {
        Self { variant, query: String::new() }
    }

    fn push<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Shape> {
        // One field as a one-pair form: lists repeat the name, `None` leaves it out, as forms do.
        let text = serde_html_form::to_string([(name, value)]).map_err(|error| Shape(format!("{name}: {error}")))?;
        if !(self.query.is_empty() || text.is_empty()) {
            self.query.push('&');
        }
        self.query.push_str(&text);
        Ok(())
    }
}

impl ser::SerializeStructVariant for Fields {
    type Ok = String;
    type Error = Shape;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Shape> {
        self.push(name, value)
    }

    fn end(self) -> Result<String, Shape> {
        let Self { variant, query } = self;
        Ok(if query.is_empty() { variant.to_owned() } else { format!("{variant}?{query}") })
    }
}

macro_rules! refuse {
    ($($method:ident($($argument:ty),*) -> $ok:ty;)*) => {
        $(fn $method(self, $(_: $argument),*) -> Result<$ok, Shape> {
            Err(Shape(concat!("an event is a name or an enum, found ", stringify!($method)).to_owned()))
        })*
    };
}

impl ser::Serializer for Name {
    type Ok = String;
    type Error = Shape;
    type SerializeSeq = Impossible<String, Shape>;
    type SerializeTuple = Impossible<String, Shape>;
    type SerializeTupleStruct = Impossible<String, Shape>;
    type SerializeTupleVariant = Impossible<String, Shape>;
    type SerializeMap = Impossible<String, Shape>;
    type SerializeStruct = Impossible<String, Shape>;
    type SerializeStructVariant = Fields;

    fn serialize_str(self, name: &str) -> Result<String, Shape> {
        Ok(name.to_owned())
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<String, Shape> {
        Ok(variant.to_owned())
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<String, Shape> {
        let query = serde_html_form::to_string(value).map_err(|error| Shape(error.to_string()))?;
        Ok(if query.is_empty() { variant.to_owned() } else { format!("{variant}?{query}") })
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Fields, Shape> {
        Ok(Fields::new(variant))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Result<String, Shape> {
        value.serialize(self)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<String, Shape> {
        value.serialize(self)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Shape> {
        Err(Shape(format!("variant {variant} has unnamed fields; name them")))
    }

    refuse! {
        serialize_bool(bool) -> String;
        serialize_i8(i8) -> String;
        serialize_i16(i16) -> String;
        serialize_i32(i32) -> String;
        serialize_i64(i64) -> String;
        serialize_u8(u8) -> String;
        serialize_u16(u16) -> String;
        serialize_u32(u32) -> String;
        serialize_u64(u64) -> String;
        serialize_f32(f32) -> String;
        serialize_f64(f64) -> String;
        serialize_char(char) -> String;
        serialize_bytes(&[u8]) -> String;
        serialize_none() -> String;
        serialize_unit() -> String;
        serialize_unit_struct(&'static str) -> String;
        serialize_seq(Option<usize>) -> Self::SerializeSeq;
        serialize_tuple(usize) -> Self::SerializeTuple;
        serialize_tuple_struct(&'static str, usize) -> Self::SerializeTupleStruct;
        serialize_map(Option<usize>) -> Self::SerializeMap;
        serialize_struct(&'static str, usize) -> Self::SerializeStruct;
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::event;
    use crate::page::Event;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Note {
        title: String,
        #[serde(default)]
        tag: Vec<String>,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    enum Do {
        Inc { by: i64 },
        Set { name: Option<String>, on: bool, ratio: f64 },
        Tags { tag: Vec<u8> },
        Reset,
        Save(Note),
    }

    #[test]
    fn what_is_written_reads_back() {
        let tea = Note { title: "tea & \"milk\" 茶?=".into(), tag: vec!["a".into(), "b c".into()] };
        for value in [
            Do::Inc { by: i64::MIN },
            Do::Set { name: None, on: true, ratio: 0.5 },
            Do::Set { name: Some("x y".into()), on: false, ratio: -1e300 },
            Do::Tags { tag: vec![1, 2, 3] },
            Do::Reset,
            Do::Save(tea),
        ] {
            let text = event(value.clone());
            assert_eq!(Event::new(&text).decode::<Do>().unwrap(), value, "{text}");
        }
    }

    #[test]
    fn what_no_event_can_be_is_named_so() {
        assert_eq!(event(7), "lv-invalid-event");
        assert_eq!(event([("a", 1)]), "lv-invalid-event");
    }
}
