//! One message on its way to many.

use std::{any::Any, fmt, sync::OnceLock};

use bytes::Bytes;

use crate::live::{Delivery, Topic};

/// A published message, shared by everyone who receives it.
///
/// ```
/// use mizu::live::{Delivery, Published, Topic};
///
/// let published = Published::new(Topic::new("room:7").unwrap(), "42".into(), Delivery::Every);
/// let number: &u32 = published.memo(|| std::str::from_utf8(published.body()).unwrap().parse().unwrap());
/// assert_eq!(*number, 42);
/// assert_eq!(*published.memo::<u32>(|| unreachable!("it is decoded once")), 42);
/// ```
pub struct Published {
    topic: Topic,
    body: Bytes,
    delivery: Delivery,
    memo: Slot,
}

/// One remembered value, then a place for another type's.
#[derive(Default)]
struct Slot {
    value: OnceLock<Box<dyn Any + Send + Sync>>,
    next: OnceLock<Box<Slot>>,
}

impl Published {
    /// A message of this topic.
    ///
    /// ```
    /// # use mizu::live::{Delivery, Published, Topic};
    /// let published = Published::new(Topic::new("a").unwrap(), "body".into(), Delivery::Latest);
    /// assert!(published.is_latest());
    /// ```
    pub fn new(topic: Topic, body: Bytes, delivery: Delivery) -> Self {
        Self { topic, body, delivery, memo: Slot::default() }
    }

    /// The topic it was published to.
    ///
    /// ```
    /// # use mizu::live::{Delivery, Published, Topic};
    /// # let published = Published::new(Topic::new("a").unwrap(), "body".into(), Delivery::Latest);
    /// assert_eq!(published.topic().as_str(), "a");
    /// ```
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// What was published.
    ///
    /// ```
    /// # use mizu::live::{Delivery, Published, Topic};
    /// # let published = Published::new(Topic::new("a").unwrap(), "body".into(), Delivery::Latest);
    /// assert_eq!(published.body(), "body");
    /// ```
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// Whether it may be replaced by a newer one while it waits.
    ///
    /// ```
    /// # use mizu::live::{Delivery, Published, Topic};
    /// # let published = Published::new(Topic::new("a").unwrap(), "body".into(), Delivery::Every);
    /// assert!(!published.is_latest());
    /// ```
    pub fn is_latest(&self) -> bool {
        self.delivery == Delivery::Latest
    }

    /// The value of type `T` made from this message: by the first who asks, for all.
    ///
    /// There is one value a type, so every caller of one type must make it in the same way. Others who ask while it
    /// is made wait, so `make` should only compute.
    ///
    /// ```
    /// # use mizu::live::{Delivery, Published, Topic};
    /// # let published = Published::new(Topic::new("a").unwrap(), "body".into(), Delivery::Every);
    /// assert_eq!(published.memo(|| published.body().len()), &4);
    /// ```
    pub fn memo<T: Send + Sync + 'static>(&self, make: impl FnOnce() -> T) -> &T {
        let mut make = Some(make);
        let mut slot = &self.memo;
        loop {
            let value = slot.value.get_or_init(|| match make.take() {
                Some(make) => Box::new(make()),
                // Whoever made a value found it: `T` is the type that was stored.
                None => Box::new(()),
            });
            if let Some(value) = value.downcast_ref::<T>() {
                return value;
            }
            slot = slot.next.get_or_init(Box::default);
        }
    }
}

impl fmt::Debug for Published {
    /// Bodies may be long and private, so only their length is shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Published")
            .field("topic", &self.topic.as_str())
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("delivery", &self.delivery)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_type_has_one_value() {
        let published = Published::new(Topic::connection(), "12".into(), Delivery::Every);
        assert_eq!(published.memo(|| 1_u8), &1);
        assert_eq!(published.memo(|| "text".to_owned()), "text");
        assert_eq!(published.memo(|| ()), &());
        assert_eq!(published.memo::<u8>(|| unreachable!()), &1);
        assert_eq!(published.memo::<String>(|| unreachable!()), "text");
    }

    #[test]
    fn threads_share_what_one_of_them_made() {
        let published = Published::new(Topic::connection(), Bytes::new(), Delivery::Every);
        let made = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let count = || made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    assert_eq!(published.memo(count), &0);
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }
}
