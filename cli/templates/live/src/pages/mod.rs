//! The pages: a file each.

mod about;
mod home;

pub use about::About;
pub use home::Home;
