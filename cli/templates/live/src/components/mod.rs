//! Pieces that pages are made of: functions from values to HTML.

mod button;
mod cheer_list;

pub use button::button;
pub use cheer_list::cheer_list;
