//! What a person did: an event's name, values and fields, read with types.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, EnumAccess, IntoDeserializer, VariantAccess, Visitor};

use super::event_error::EventError;
use super::fields::{Fields, explain};

/// Something a person did on a page, as [`Page::handle`](crate::Page::handle) receives it.
///
/// # Shape
///
/// The name is what stood in the attribute (`data-lv-click="inc"`), up to a `?`; what follows the `?` is read as values,
/// before those of the `data-lv-value-*` attributes. So `"Inc?by=1"` is the name `Inc` with the value `by = 1`.
///
/// # Example
///
/// ```
/// use mizu::Event;
///
/// #[derive(Debug, PartialEq, serde::Deserialize)]
/// enum Do { Inc { by: i64 }, Reset }
///
/// let event = Event::new("Inc?by=2");
/// assert_eq!(event.name(), "Inc");
/// assert_eq!(event.value::<i64>("by").unwrap(), 2);
/// assert_eq!(event.decode::<Do>().unwrap(), Do::Inc { by: 2 });
/// assert_eq!(Event::new("Reset").decode::<Do>().unwrap(), Do::Reset);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    name: String,
    target: Option<String>,
    values: Fields,
    form: Fields,
    key: Option<String>,
    meta: Fields,
}

impl Event {
    /// An event as an attribute's text describes it, without form or key: mostly for tests.
    pub fn new(text: &str) -> Self {
        Self::from_parts(text, None, Fields::default(), Fields::default(), None, Fields::default())
    }

    /// The same event with these form fields.
    ///
    /// ```
    /// let event = mizu::Event::new("save").with_form([("title", "Tea")]);
    /// assert_eq!(event.get("title"), Some("Tea"));
    /// ```
    pub fn with_form<N: Into<String>, V: Into<String>>(mut self, fields: impl IntoIterator<Item = (N, V)>) -> Self {
        self.form = fields.into_iter().collect();
        self
    }

    pub(crate) fn from_parts(
        text: &str,
        target: Option<String>,
        values: Fields,
        form: Fields,
        key: Option<String>,
        meta: Fields,
    ) -> Self {
        let (name, values) = match text.split_once('?') {
            None => (text, values),
            Some((name, query)) => {
                let mut all = Fields::parse(query);
                values.iter().for_each(|(name, value)| all.push(name, value));
                (name, all)
            }
        };
        Self { name: name.to_owned(), target, values, form, key, meta }
    }

    /// The event's name: `inc` for `data-lv-click="inc"`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What `data-lv-target` names, if anything.
    ///
    /// ```
    /// assert_eq!(mizu::Event::new("inc").target(), None);
    /// ```
    pub fn target(&self) -> Option<&str> {
        self.target.as_deref()
    }

    /// The key of a keyboard event, as browsers name it (`Enter`, `a`, `ArrowUp`).
    ///
    /// ```
    /// assert_eq!(mizu::Event::new("inc").key(), None);
    /// ```
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What else the browser said: `type` is the DOM event's type.
    ///
    /// ```
    /// assert_eq!(mizu::Event::new("inc").meta("type"), None);
    /// ```
    pub fn meta(&self, name: &str) -> Option<&str> {
        self.meta.get(name)
    }

    /// A value by name, else the form field of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).or_else(|| self.form.get(name))
    }

    /// The same as [`get`](Self::get), read as a type.
    ///
    /// # Errors
    ///
    /// [`EventError::Missing`] when nothing of that name was sent, [`EventError::Invalid`] when it does not parse.
    ///
    /// ```
    /// let event = mizu::Event::new("buy?count=two");
    /// let error = event.value::<u32>("count").unwrap_err();
    /// assert_eq!(error.to_string(), r#"field "count" has the value "two": invalid digit found in string"#);
    /// let error = event.value::<u32>("size").unwrap_err();
    /// assert_eq!(error.to_string(), r#"event "buy" has no value or field "size""#);
    /// ```
    pub fn value<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, EventError> {
        let missing = || EventError::Missing { event: self.name.clone(), field: name.to_owned() };
        let text = self.get(name).ok_or_else(missing)?;
        text.parse().map_err(|error| EventError::invalid(name, text, error))
    }

    /// The form's fields in order, repeated names included; empty for an event without a form.
    ///
    /// ```
    /// let event = mizu::Event::new("save").with_form([("tag", "a"), ("tag", "b")]);
    /// assert_eq!(event.form().all("tag").count(), 2);
    /// ```
    pub fn form(&self) -> &Fields {
        &self.form
    }

    /// The values (`data-lv-value-*`, and those in the name's `?...`).
    ///
    /// ```
    /// assert_eq!(mizu::Event::new("Inc?by=1").values().get("by"), Some("1"));
    /// ```
    pub fn values(&self) -> &Fields {
        &self.values
    }

    /// Reads the whole event as an enum: the name is the variant, values and fields are its fields.
    ///
    /// # Shape
    ///
    /// Unit variants (`Reset`), struct variants (`Inc { by: i64 }`) and newtype variants around a struct (`Save(Form)`).
    ///
    /// # Errors
    ///
    /// [`EventError::Unknown`] for a name that is no variant, else as [`Fields::decode`].
    ///
    /// ```
    /// #[derive(Debug, serde::Deserialize)]
    /// enum Do { Inc { by: u8 } }
    ///
    /// let error = mizu::Event::new("Inc?by=300").decode::<Do>().unwrap_err();
    /// assert!(error.to_string().starts_with(r#"field "by" has the value "300""#));
    /// let error = mizu::Event::new("Jump").decode::<Do>().unwrap_err();
    /// assert_eq!(error.to_string(), r#"unknown event "Jump": unknown variant `Jump`, expected `Inc`"#);
    /// ```
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, EventError> {
        let mut text = form_urlencoded::Serializer::new(String::new());
        let text = text.extend_pairs(self.values.iter().chain(self.form.iter())).finish();
        T::deserialize(Variant { event: self, text: &text }).map_err(|Raw(error)| match error {
            EventError::Undecodable { reason } if reason.starts_with("unknown variant") => {
                EventError::Unknown { event: self.name.clone(), reason }
            }
            error => error,
        })
    }
}

/// Offers an event to serde as an enum: the one place where a name becomes a variant.
struct Variant<'a> {
    event: &'a Event,
    /// Its values and fields as a query, which serde reads them from.
    text: &'a str,
}

/// Carries an [`EventError`] through serde's error type.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Raw(EventError);

impl de::Error for Raw {
    fn custom<T: Display>(reason: T) -> Self {
        Self(EventError::Undecodable { reason: reason.to_string() })
    }
}

impl<'de> de::Deserializer<'de> for Variant<'de> {
    type Error = Raw;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Raw> {
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = Raw;
    type Variant = Self;

    fn variant_seed<V: de::DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Raw> {
        let name: StrDeserializer<'_, Raw> = self.event.name.as_str().into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'de> {
    type Error = Raw;

    fn unit_variant(self) -> Result<(), Raw> {
        Ok(())
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Raw> {
        let mut track = serde_path_to_error::Track::new();
        let source = serde_html_form::Deserializer::from_bytes(self.text.as_bytes());
        seed.deserialize(serde_path_to_error::Deserializer::new(source, &mut track)).map_err(|error| {
            Raw(explain(&serde_path_to_error::Error::new(track.path(), error), |name| self.event.get(name)))
        })
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, _visitor: V) -> Result<V::Value, Raw> {
        Err(de::Error::custom("an event can't be a variant with unnamed fields; name them"))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Raw> {
        struct Struct<V>(&'static [&'static str], V);
        impl<'de, V: Visitor<'de>> de::DeserializeSeed<'de> for Struct<V> {
            type Value = V::Value;
            fn deserialize<D: de::Deserializer<'de>>(self, source: D) -> Result<V::Value, D::Error> {
                source.deserialize_struct("event", self.0, self.1)
            }
        }
        self.newtype_variant_seed(Struct(fields, visitor))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Form {
        title: String,
        #[serde(default)]
        tag: Vec<String>,
        count: Option<u8>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Do {
        Inc { by: i64 },
        Reset,
        Save(Form),
        Pair(u8, u8),
    }

    fn check(event: Event, expected: Result<Do, &str>) {
        assert_eq!(event.decode::<Do>().map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn decodes_enums() {
        check(Event::new("inc?by=-3"), Ok(Do::Inc { by: -3 }));
        check(Event::new("reset"), Ok(Do::Reset));
        let form = [("title", "a b&c"), ("tag", "x"), ("tag", "y")];
        let saved = Form { title: "a b&c".into(), tag: vec!["x".into(), "y".into()], count: None };
        check(Event::new("save").with_form(form), Ok(Do::Save(saved)));
        check(Event::new("inc?by=x"), Err(r#"field "by" has the value "x": invalid digit found in string"#));
        check(Event::new("inc"), Err("the event does not fit: missing field `by`"));
        check(
            Event::new("save").with_form([("title", "t"), ("count", "900")]),
            Err(r#"field "count" has the value "900": number too large to fit in target type"#),
        );
        check(
            Event::new("pair?a=1"),
            Err("the event does not fit: an event can't be a variant with unnamed fields; name them"),
        );
        check(
            Event::new("boom"),
            Err(r#"unknown event "boom": unknown variant `boom`, expected one of `inc`, `reset`, `save`, `pair`"#),
        );
    }

    #[test]
    fn values_come_before_fields_and_attribute_text_before_attributes() {
        let event = Event::from_parts(
            "go?a=1",
            None,
            Fields::parse("a=2&b=3"),
            Fields::parse("a=4&b=5&c=6"),
            None,
            Fields::default(),
        );
        assert_eq!((event.get("a"), event.get("b"), event.get("c")), (Some("1"), Some("3"), Some("6")));
    }

    #[test]
    fn long_values_are_cut_in_errors() {
        let long = "x".repeat(5_000);
        let error = Event::new("go").with_form([("n", long)]).value::<u8>("n").unwrap_err();
        assert!(error.to_string().len() < 200);
    }
}
