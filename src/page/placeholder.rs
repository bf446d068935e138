//! Values of a type in which every field is recognisable once they are rendered: what row templates are made of.
//!
//! A type says by its `Deserialize` which fields it has. Text and numbers become slots, each a value that nothing else is likely to be;
//! booleans and enumerations, which a row may branch on, are tried in all their combinations.

use std::fmt::Display;

use serde::de::{self, DeserializeOwned, DeserializeSeed, IntoDeserializer, Visitor};
use serde_json::Value;

/// The character that stands for the first slot; the following ones are the next. Private use: no text means anything by it.
const FIRST: u32 = 0xF_0000;
/// The number that stands for the first slot: it fits all integers of 32 bits and more.
const FIRST_NUMBER: u32 = 1_870_000_000;
/// Likewise for integers of 16 bits.
const FIRST_SHORT: u16 = 31_400;
/// Combinations of booleans and enumerations, at most.
const COMBINATIONS: usize = 32;

/// The fields of a type, as its placeholders have them.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    /// Dotted paths of the fields that are slots, in the order of their characters.
    pub(crate) slots: Vec<String>,
    /// What a row may branch on, with all it can be.
    pub(crate) flags: Vec<(String, Vec<Value>)>,
}

/// What the flags are in a value, and the value.
pub(crate) type Placeholder<T> = (Vec<Value>, T);

/// One value for each combination of its flags.
pub(crate) fn placeholders<T: DeserializeOwned>() -> Result<(Fields, Vec<Placeholder<T>>), Unfit> {
    let mut fields = Fields::default();
    let mut combinations = 1;
    let mut made = Vec::new();
    let mut at = 0;
    while at < combinations {
        let mut chosen = Vec::new();
        let maker = Maker { fields: &mut fields, chosen: &mut chosen, combination: at, path: String::new() };
        let value = T::deserialize(maker)?;
        combinations = fields.flags.iter().map(|(_, choices)| choices.len()).product();
        if combinations > COMBINATIONS {
            return Err(Unfit(format!(
                "its booleans and enumerations have {combinations} combinations, not at most {COMBINATIONS}"
            )));
        }
        made.push((chosen, value));
        at += 1;
    }
    Ok((fields, made))
}

/// Puts the slots' characters where their numbers are, in rendered HTML.
pub(crate) fn mark(html: &str, slots: usize) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let digits = &rest[start..];
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        out.push_str(&rest[..start]);
        match slot_of(&digits[..end]).filter(|slot| *slot < slots) {
            Some(slot) => out.push(character(slot)),
            None => out.push_str(&digits[..end]),
        }
        rest = &digits[end..];
    }
    out.push_str(rest);
    out
}

fn slot_of(digits: &str) -> Option<usize> {
    let number: u32 = digits.parse().ok()?;
    let long = number.checked_sub(FIRST_NUMBER);
    let slot = long.or_else(|| number.checked_sub(u32::from(FIRST_SHORT)))?;
    usize::try_from(slot).ok()
}

fn character(slot: usize) -> char {
    u32::try_from(slot).ok().and_then(|slot| char::from_u32(FIRST + slot)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// Why a type has no placeholders.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Unfit(String);

impl de::Error for Unfit {
    fn custom<T: Display>(reason: T) -> Self {
        Self(reason.to_string())
    }
}

/// Makes one value.
struct Maker<'a> {
    fields: &'a mut Fields,
    /// What each flag is in this value, in their order.
    chosen: &'a mut Vec<Value>,
    /// Which combination of flags this is: a number with one digit a flag.
    combination: usize,
    path: String,
}

impl Maker<'_> {
    fn slot(&mut self) -> usize {
        let slots = &mut self.fields.slots;
        slots.iter().position(|slot| *slot == self.path).unwrap_or_else(|| {
            slots.push(self.path.clone());
            slots.len() - 1
        })
    }

    fn choose(&mut self, choices: impl FnOnce() -> Vec<Value>) -> usize {
        let flags = &mut self.fields.flags;
        let at = self.chosen.len();
        if flags.len() == at {
            flags.push((self.path.clone(), choices()));
        }
        let weight: usize = flags[..at].iter().map(|(_, choices)| choices.len()).product();
        let choices = &flags[at].1;
        let choice = self.combination / weight % choices.len().max(1);
        self.chosen.push(choices.get(choice).cloned().unwrap_or_default());
        choice
    }

    fn number(&mut self) -> u32 {
        FIRST_NUMBER + u32::try_from(self.slot()).unwrap_or_default()
    }

    fn short(&mut self) -> u16 {
        FIRST_SHORT + u16::try_from(self.slot()).unwrap_or_default()
    }

    fn inside(&mut self, field: &str) -> Maker<'_> {
        let path = if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) };
        Maker { fields: self.fields, chosen: self.chosen, combination: self.combination, path }
    }

    fn unfit<T>(&self, what: &str) -> Result<T, Unfit> {
        Err(Unfit(format!("the field `{}` is {what}", self.path)))
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $number:ident;)*) => {
        $(fn $method<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Unfit> {
            visitor.$visit(self.$number().into())
        })*
    };
}

macro_rules! unfit {
    ($($method:ident $what:literal;)*) => {
        $(fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unfit> {
            self.unfit($what)
        })*
    };
}

impl<'de> de::Deserializer<'de> for Maker<'_> {
    type Error = Unfit;

    numbers! {
        deserialize_i32 visit_i64 number;
        deserialize_i64 visit_i64 number;
        deserialize_i128 visit_i128 number;
        deserialize_u32 visit_u64 number;
        deserialize_u64 visit_u64 number;
        deserialize_u128 visit_u128 number;
        deserialize_f64 visit_f64 number;
        deserialize_i16 visit_u64 short;
        deserialize_u16 visit_u64 short;
        deserialize_f32 visit_f64 short;
    }

    unfit! {
        deserialize_i8 "an integer of 8 bits; a wider one can be a placeholder";
        deserialize_u8 "an integer of 8 bits; a wider one can be a placeholder";
        deserialize_bytes "bytes";
        deserialize_byte_buf "bytes";
    }

    fn deserialize_bool<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Unfit> {
        let choice = self.choose(|| vec![false.into(), true.into()]);
        visitor.visit_bool(choice == 1)
    }

    fn deserialize_char<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_char(character(self.slot()))
    }

    fn deserialize_str<V: Visitor<'de>>(mut self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_string(character(self.slot()).to_string())
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(de::value::SeqDeserializer::<_, Unfit>::new(std::iter::empty::<u8>()))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Unfit> {
        self.unfit("a tuple")
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(self, _: &'static str, _: usize, _: V) -> Result<V::Value, Unfit> {
        self.unfit("a tuple")
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_map(de::value::MapDeserializer::<_, Unfit>::new(std::iter::empty::<(&str, &str)>()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_map(Members { maker: self, fields: fields.iter(), next: None })
    }

    fn deserialize_enum<V: Visitor<'de>>(
        mut self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        let choice = self.choose(|| variants.iter().map(|variant| (*variant).into()).collect());
        match variants.get(choice) {
            // Says itself that a variant with fields is not made from a name.
            Some(variant) => visitor.visit_enum(IntoDeserializer::<Unfit>::into_deserializer(*variant)),
            None => self.unfit("an enumeration of nothing"),
        }
    }
}

/// The fields of a struct, one after the other.
struct Members<'a> {
    maker: Maker<'a>,
    fields: std::slice::Iter<'static, &'static str>,
    next: Option<&'static str>,
}

impl<'de> de::MapAccess<'de> for Members<'_> {
    type Error = Unfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Unfit> {
        self.next = self.fields.next().copied();
        self.next.map(|name| seed.deserialize(name.into_deserializer())).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Unfit> {
        let name = self.next.take().unwrap_or_default();
        let maker = self.maker.inside(name);
        let path = maker.path.clone();
        seed.deserialize(maker).map_err(|Unfit(why)| match why.contains('`') {
            true => Unfit(why),
            false => Unfit(format!("the field `{path}`: {why}")),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::{mark, placeholders};

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Kind {
        Plain,
        Loud,
        Gone,
    }

    #[derive(Deserialize)]
    struct Author {
        name: String,
    }

    #[derive(Deserialize)]
    struct Note {
        id: String,
        #[serde(rename = "heading")]
        title: Option<String>,
        done: bool,
        kind: Kind,
        likes: i64,
        stars: u16,
        author: Author,
        #[serde(default)]
        tags: Vec<String>,
    }

    #[test]
    fn every_field_is_recognised_in_every_combination() {
        let (fields, made) = placeholders::<Note>().unwrap();
        assert_eq!(fields.slots, ["id", "heading", "likes", "stars", "author.name"]);
        assert_eq!(fields.flags[0], ("done".into(), vec![json!(false), json!(true)]));
        assert_eq!(fields.flags[1], ("kind".into(), vec![json!("plain"), json!("loud"), json!("gone")]));
        assert_eq!(made.len(), 6);
        for (chosen, note) in &made {
            assert_eq!(chosen[0], json!(note.done));
            assert_eq!(chosen[1], json!(format!("{:?}", note.kind).to_lowercase()));
            assert!(note.tags.is_empty());
            let Note { id, title, likes, stars, author, .. } = note;
            let html = format!("{id}|{}|{likes}|{stars}|{}|{}", title.as_deref().unwrap(), author.name, 31_500);
            assert_eq!(mark(&html, fields.slots.len()), "\u{F0000}|\u{F0001}|\u{F0002}|\u{F0003}|\u{F0004}|31500");
        }
        let mut seen: Vec<_> = made.iter().map(|(chosen, _)| chosen).collect();
        seen.dedup();
        assert_eq!(seen.len(), 6);
    }

    #[test]
    fn what_has_no_placeholder_says_why() {
        #[derive(Debug, Deserialize)]
        struct Small {
            #[expect(dead_code, reason = "only its type counts")]
            age: u8,
        }
        #[derive(Debug, Deserialize)]
        enum Fruit {
            #[expect(dead_code, reason = "only its type counts")]
            Apple { red: bool },
        }
        #[derive(Debug, Deserialize)]
        struct Basket {
            #[expect(dead_code, reason = "only its type counts")]
            fruit: Fruit,
        }
        let why = placeholders::<Small>().unwrap_err().to_string();
        assert_eq!(why, "the field `age` is an integer of 8 bits; a wider one can be a placeholder");
        let why = placeholders::<Basket>().unwrap_err().to_string();
        assert!(why.starts_with("the field `fruit`: "), "{why}");
    }

    #[test]
    fn numbers_of_no_slot_stay() {
        for text in ["1870000002", "31402", "18700000001", "9", "a1b22c", ""] {
            assert_eq!(mark(text, 2), text);
        }
    }
}
