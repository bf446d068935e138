//! Pieces that pages are made of: functions from values to HTML.

mod button;
mod todo_item;

pub use button::button;
pub use todo_item::todo_item;
