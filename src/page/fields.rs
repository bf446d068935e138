//! Ordered name and value pairs: what a form or an element's values carry.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::event_error::EventError;

/// Name and value pairs in the order they were sent; a name may repeat.
///
/// # Example
///
/// ```
/// use mizu::Fields;
///
/// let fields = Fields::parse("title=Tea&tag=hot&tag=green");
/// assert_eq!(fields.get("title"), Some("Tea"));
/// assert_eq!(fields.all("tag").collect::<Vec<_>>(), ["hot", "green"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads `application/x-www-form-urlencoded` text. Never fails: what is not a pair becomes a name without a value.
    pub fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value under this name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value under this name, in the order sent.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All pairs in order.
    ///
    /// ```
    /// let fields = mizu::Fields::parse("a=1&b=2&a=3");
    /// assert_eq!(fields.iter().map(|(name, _)| name).collect::<String>(), "aba");
    /// ```
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many pairs there are.
    ///
    /// ```
    /// assert_eq!(mizu::Fields::parse("a=1&b=2").len(), 2);
    /// ```
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no pair.
    ///
    /// ```
    /// assert!(mizu::Fields::parse("").is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Decodes the pairs into a struct: numbers, `Option`s, and `Vec`s for repeated names.
    ///
    /// # Errors
    ///
    /// [`EventError::Invalid`] names the first field that does not fit, and its value.
    ///
    /// ```
    /// #[derive(serde::Deserialize)]
    /// struct Order { count: u32, note: Option<String> }
    ///
    /// let order: Order = mizu::Fields::parse("count=3").decode().unwrap();
    /// assert_eq!((order.count, order.note), (3, None));
    ///
    /// let error = mizu::Fields::parse("count=three").decode::<Order>().err().unwrap();
    /// assert_eq!(error.to_string(), r#"field "count" has the value "three": invalid digit found in string"#);
    /// ```
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, EventError> {
        let text = self.encode();
        let source = serde_html_form::Deserializer::from_bytes(text.as_bytes());
        serde_path_to_error::deserialize(source).map_err(|error| explain(&error, |name| self.get(name)))
    }

    pub(crate) fn encode(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(self.iter()).finish()
    }

    pub(crate) fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push((name.into(), value.into()));
    }

    /// Takes out every pair of a name and returns the last value: for names the framework itself uses. What it puts into a form
    /// stands first, so that a button which says something else wins.
    pub(crate) fn take(&mut self, name: &str) -> Option<String> {
        let last = self.iter().filter(|(key, _)| *key == name).last().map(|(_, value)| value.to_owned());
        self.0.retain(|(key, _)| key != name);
        last
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

/// Turns the decoder's complaint into one that names the field and the value it has.
pub(crate) fn explain<'a, E: std::fmt::Display>(
    error: &serde_path_to_error::Error<E>,
    value_of: impl Fn(&str) -> Option<&'a str>,
) -> EventError {
    let path = error.path().to_string();
    let field = path.split(['.', '[']).next().unwrap_or_default();
    let reason = error.inner().to_string();
    match value_of(field) {
        Some(value) => EventError::invalid(field, value, reason),
        None => EventError::Undecodable { reason },
    }
}
