//! What is known about a client since its handshake.

use std::{
    any::{Any, TypeId},
    fmt,
};

/// Values attached to a connection, one of each type: what `on_auth` found out, and the
/// [`Verdict`](crate::live::Verdict) and [`ClientAddress`](crate::live::ClientAddress) of the handshake.
///
/// ```
/// use mizu::live::Meta;
///
/// #[derive(PartialEq, Debug)]
/// struct User(u32);
///
/// let mut meta = Meta::new();
/// meta.insert(User(7));
/// assert_eq!(meta.get::<User>(), Some(&User(7)));
/// assert_eq!(meta.get::<String>(), None);
/// ```
#[derive(Default)]
pub struct Meta {
    /// A list, not a map: there are two or three, and each idle connection keeps it.
    values: Vec<(TypeId, Box<dyn Any + Send + Sync>)>,
}

impl Meta {
    /// Nothing.
    ///
    /// ```
    /// # use mizu::live::Meta;
    /// assert_eq!(Meta::new().get::<u8>(), None);
    /// ```
    pub const fn new() -> Self {
        Self { values: Vec::new() }
    }

    /// Attaches a value, in place of an earlier one of its type.
    ///
    /// ```
    /// # use mizu::live::Meta;
    /// let mut meta = Meta::new();
    /// meta.insert(1_u8);
    /// meta.insert(2_u8);
    /// assert_eq!(meta.get::<u8>(), Some(&2));
    /// ```
    pub fn insert<T: Send + Sync + 'static>(&mut self, value: T) {
        let key = TypeId::of::<T>();
        let value = Box::new(value);
        match self.values.iter_mut().find(|(id, _)| *id == key) {
            Some((_, old)) => *old = value,
            None => {
                self.values.reserve_exact(1);
                self.values.push((key, value));
            }
        }
    }

    /// The value of a type.
    ///
    /// ```
    /// # use mizu::live::Meta;
    /// assert_eq!(Meta::new().get::<String>(), None);
    /// ```
    pub fn get<T: 'static>(&self) -> Option<&T> {
        let key = TypeId::of::<T>();
        let (_, value) = self.values.iter().find(|(id, _)| *id == key)?;
        value.downcast_ref()
    }
}

impl fmt::Debug for Meta {
    /// The values may be private, so only their number is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Meta({} values)", self.values.len())
    }
}
