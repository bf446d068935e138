//! Any bytes through both codecs: no panic, and whatever decodes survives the way back, in either format.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mizu::live::{Codec, Format, Frame, Message};

fuzz_target!(|data: &[u8]| {
    if let Ok(message) = Format::MessagePack.decode(Frame::Binary(Bytes::copy_from_slice(data))) {
        check(&message);
    }
    if let Ok(text) = std::str::from_utf8(data) {
        if let Ok(message) = Format::Json.decode(Frame::Text(text.to_owned())) {
            check(&message);
        }
    }
    // Bodies of the two types that this layer itself writes, and of any.
    for format in Format::ALL {
        let _ = format.from_slice::<(String, String, bool)>(data);
        let _ = format.from_slice::<(String, u32)>(data);
    }
});

fn check(message: &Message) {
    for format in Format::ALL {
        let frame = format
            .encode(message)
            .expect("a message that was decoded can be encoded");
        let again = format
            .decode(frame.clone())
            .expect("a frame that was encoded can be decoded");
        assert_eq!(
            (again.kind, &again.topic, again.reference),
            (message.kind, &message.topic, message.reference)
        );
        // In JSON, white space around a JSON body goes.
        let (left, right) = match format {
            Format::Json => (again.body.trim_ascii(), message.body.trim_ascii()),
            _ => (&again.body[..], &message.body[..]),
        };
        assert_eq!(left, right);
        // Encoding is canonical: what comes out goes in as the same frame.
        assert_eq!(format.encode(&again).expect("encoded before"), frame);
    }
}
