//! A thing to do.

use mizu::sync::Entity;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Todo {
    /// Ids grow with time, and rows are ordered by them.
    pub id: String,
    pub title: String,
    #[serde(default)]
    pub done: bool,
}

impl Todo {
    pub fn new(title: impl Into<String>) -> Self {
        Self {
            id: uuid::Uuid::now_v7().to_string(),
            title: title.into(),
            done: false,
        }
    }
}

impl Entity for Todo {
    const NAME: &'static str = "todo";

    fn id(&self) -> &str {
        &self.id
    }
}
