//! Steps that lead a browser from one rendering of a region to the next.

use serde::ser::SerializeSeq;
use serde::{Serialize, Serializer};

/// Where a path begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Anchor {
    /// The region's element.
    Region,
    /// An element inside, by its id.
    Id(Box<str>),
}

impl Serialize for Anchor {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Region => out.serialize_u8(0),
            Self::Id(id) => out.serialize_str(id),
        }
    }
}

/// One change of one node. A node is named by the nearest element above it with an id, and from there by which child of
/// which it is. Nodes are named as they are before the change of any list that is around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    /// A part of a text becomes another. Lengths and places count UTF-16 units, as browsers do.
    Text { anchor: Anchor, path: Vec<u32>, length: u32, at: u32, delete: u32, insert: String },
    /// Attributes of an element get another value, or are removed.
    Attributes { anchor: Anchor, path: Vec<u32>, tag: Box<str>, values: Vec<(Box<str>, Option<String>)> },
    /// An element becomes another of its kind, with care: what a person does in it is kept.
    Morph { anchor: Anchor, path: Vec<u32>, html: String },
    /// The children of an element are others, or stand in another order.
    Children { anchor: Anchor, path: Vec<u32>, count: u32, steps: Vec<Step> },
}

/// A step through a list of children, of which so many are passed already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The next ones stay.
    Keep(u32),
    /// The next ones go, or stand elsewhere.
    Skip(u32),
    /// This one of the children before the change stands here.
    Take(u32),
    /// These are new.
    Insert(String),
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep(count) => out.serialize_u32(*count),
            Self::Skip(count) => out.serialize_i64(-i64::from(*count)),
            Self::Take(at) => [at].serialize(out),
            Self::Insert(html) => out.serialize_str(html),
        }
    }
}

impl Serialize for Op {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        match self {
            // A text that becomes another from end to end says so in one number less.
            Self::Text { anchor, path, length, at: 0, delete, insert } if delete == length => {
                (0u8, anchor, path, length, insert).serialize(out)
            }
            Self::Text { anchor, path, length, at, delete, insert } => {
                (0u8, anchor, path, length, insert, at, delete).serialize(out)
            }
            Self::Attributes { anchor, path, tag, values } => (1u8, anchor, path, tag, Flat(values)).serialize(out),
            Self::Morph { anchor, path, html } => (2u8, anchor, path, html).serialize(out),
            Self::Children { anchor, path, count, steps } => (3u8, anchor, path, count, steps).serialize(out),
        }
    }
}

/// Pairs, one member after the other.
struct Flat<'a>(&'a [(Box<str>, Option<String>)]);

impl Serialize for Flat<'_> {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        let mut all = out.serialize_seq(Some(2 * self.0.len()))?;
        for (name, value) in self.0 {
            all.serialize_element(name)?;
            all.serialize_element(value)?;
        }
        all.end()
    }
}

impl Op {
    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        let named =
            |anchor: &Anchor, path: &[u32]| 4 + path.len() + if let Anchor::Id(id) = anchor { id.len() + 1 } else { 1 };
        match self {
            Self::Text { anchor, path, insert, .. } => named(anchor, path) + insert.len() + 6,
            Self::Attributes { anchor, path, values, .. } => {
                let value =
                    |(name, value): &(Box<str>, Option<String>)| name.len() + value.as_ref().map_or(1, String::len) + 3;
                named(anchor, path) + values.iter().map(value).sum::<usize>() + 6
            }
            Self::Morph { anchor, path, html } => named(anchor, path) + html.len() + 3,
            Self::Children { anchor, path, steps, .. } => {
                let step = |step: &Step| if let Step::Insert(html) = step { html.len() + 3 } else { 3 };
                named(anchor, path) + steps.iter().map(step).sum::<usize>() + 4
            }
        }
    }
}
