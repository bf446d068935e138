//! Any text as a form, an event's name, or both: no panic, and what is an event comes back the same from an attribute.

#![no_main]

use libfuzzer_sys::fuzz_target;
use mizu::{Event, Fields, lv};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Clone, Serialize, Deserialize)]
struct Form {
    title: String,
    #[serde(default)]
    tag: Vec<String>,
    count: Option<u8>,
}

#[derive(Debug, PartialEq, Clone, Serialize, Deserialize)]
enum Do {
    Inc { by: i64 },
    Set { name: Option<String>, on: bool },
    Reset,
    Save(Form),
}

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let fields = Fields::parse(&text);
    if let Err(error) = fields.decode::<Form>() {
        assert!(!error.to_string().is_empty());
    }
    for event in [Event::new(&text), Event::new("Save").with_form(fields.iter()), Event::new("Inc").with_form(fields.iter())] {
        let _ = event.value::<i64>("by");
        match event.decode::<Do>() {
            // An empty text and a missing one are the same in a form.
            Ok(Do::Set { name: Some(name), .. }) if name.is_empty() => {}
            Ok(known) => assert_eq!(Event::new(&lv::event(known.clone())).decode::<Do>().ok(), Some(known)),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
    }
});
