//! `mizu.v1`.

use bytes::Bytes;

use crate::live::{Codec, DecodeError, EncodeError, Frame, Kind, Message, Ref, Topic};

/// The codec of the subprotocol `mizu.v1`: binary frames of `[kind, topic, ref, body]`.
///
/// # Shape
///
/// A MessagePack array of four elements: two unsigned integers around a string, then `bin`. Encoding uses the
/// shortest form of each; decoding takes any. A frame costs one allocation of exactly its length.
///
/// ```
/// use mizu::live::{Codec, Frame, Kind, Message, MessagePack, Ref, Topic};
///
/// let message = Message::new(Kind::EVENT, Topic::new("1").unwrap(), Ref::new(7), "hi");
/// let frame = MessagePack.encode(&message).unwrap();
/// assert_eq!(frame, Frame::Binary(b"\x94\x03\xa11\x07\xc4\x02hi".to_vec().into()));
/// ```
///
/// # Source
///
/// <https://github.com/msgpack/msgpack/blob/master/spec.md>
#[derive(Debug, Clone, Copy, Default)]
pub struct MessagePack;

impl Codec for MessagePack {
    fn encode(&self, message: &Message) -> Result<Frame, EncodeError> {
        let topic = message.topic.as_str();
        let body = &message.body;
        let body_len = u32::try_from(body.len()).map_err(|_| EncodeError::TooBig { bytes: body.len() })?;
        let (kind, reference) = (u32::from(message.kind.code()), message.reference.get());
        let heads =
            1 + uint_len(kind) + 1 + usize::from(topic.len() > 31) + uint_len(reference) + bin_head_len(body_len);
        // Exactly as long as the frame: `Bytes` would copy a vector with room left.
        let mut out = Vec::with_capacity(heads + topic.len() + body.len());
        out.push(0x94);
        write_uint(&mut out, kind);
        match topic.len() as u8 {
            len @ 0..=31 => out.push(0xa0 | len),
            len => out.extend([0xd9, len]),
        }
        out.extend_from_slice(topic.as_bytes());
        write_uint(&mut out, reference);
        match body_len {
            0..=0xff => out.extend([0xc4, body_len as u8]),
            0x100..=0xffff => {
                out.push(0xc5);
                out.extend((body_len as u16).to_be_bytes());
            }
            _ => {
                out.push(0xc6);
                out.extend(body_len.to_be_bytes());
            }
        }
        out.extend_from_slice(body);
        debug_assert_eq!(out.len(), out.capacity());
        Ok(Frame::Binary(Bytes::from(out)))
    }

    fn decode(&self, frame: Frame) -> Result<Message, DecodeError> {
        let Frame::Binary(bytes) = frame else {
            return Err(DecodeError::WrongFrame { expected: "binary" });
        };
        let mut reader = Reader { rest: &bytes, field: "envelope" };
        match reader.array()? {
            4 => {}
            elements => return Err(DecodeError::WrongLength { elements }),
        }
        let kind = reader.field("kind").uint()?;
        let kind = u8::try_from(kind).map_err(|_| DecodeError::OutOfRange { field: "kind", value: kind })?;
        let topic = Topic::new(std::str::from_utf8(reader.field("topic").str()?)?)?;
        let reference = reader.field("ref").uint()?;
        let reference =
            u32::try_from(reference).map_err(|_| DecodeError::OutOfRange { field: "ref", value: reference })?;
        let body = Bytes::copy_from_slice(reader.field("body").bin()?);
        match reader.rest.len() {
            0 => Ok(Message::new(Kind::from_code(kind), topic, Ref::new(reference), body)),
            bytes => Err(DecodeError::TrailingBytes { bytes }),
        }
    }
}

fn uint_len(value: u32) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0xff => 2,
        0x100..=0xffff => 3,
        _ => 5,
    }
}

fn bin_head_len(len: u32) -> usize {
    match len {
        0..=0xff => 2,
        0x100..=0xffff => 3,
        _ => 5,
    }
}

fn write_uint(out: &mut Vec<u8>, value: u32) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend([0xcc, value as u8]),
        0x100..=0xffff => {
            out.push(0xcd);
            out.extend((value as u16).to_be_bytes());
        }
        _ => {
            out.push(0xce);
            out.extend(value.to_be_bytes());
        }
    }
}

/// Reads the four types an envelope is made of; `field` is what errors name.
struct Reader<'a> {
    rest: &'a [u8],
    field: &'static str,
}

impl<'a> Reader<'a> {
    fn field(&mut self, field: &'static str) -> &mut Self {
        self.field = field;
        self
    }

    fn array(&mut self) -> Result<usize, DecodeError> {
        match self.marker()? {
            marker @ 0x90..=0x9f => Ok(usize::from(marker & 0x0f)),
            0xdc => self.number(2).map(|n| n as usize),
            0xdd => self.number(4).map(|n| n as usize),
            marker => Err(self.wrong_type(marker)),
        }
    }

    fn uint(&mut self) -> Result<u64, DecodeError> {
        match self.marker()? {
            marker @ 0x00..=0x7f => Ok(u64::from(marker)),
            0xcc => self.number(1),
            0xcd => self.number(2),
            0xce => self.number(4),
            0xcf => self.number(8),
            marker => Err(self.wrong_type(marker)),
        }
    }

    fn str(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = match self.marker()? {
            marker @ 0xa0..=0xbf => u64::from(marker & 0x1f),
            0xd9 => self.number(1)?,
            0xda => self.number(2)?,
            0xdb => self.number(4)?,
            marker => return Err(self.wrong_type(marker)),
        };
        self.take(len as usize)
    }

    fn bin(&mut self) -> Result<&'a [u8], DecodeError> {
        let len = match self.marker()? {
            0xc4 => self.number(1)?,
            0xc5 => self.number(2)?,
            0xc6 => self.number(4)?,
            marker => return Err(self.wrong_type(marker)),
        };
        self.take(len as usize)
    }

    fn marker(&mut self) -> Result<u8, DecodeError> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// A big-endian number of up to eight bytes.
    fn number(&mut self, bytes: usize) -> Result<u64, DecodeError> {
        let bytes = self.take(bytes)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or(DecodeError::Truncated { field: self.field })?;
        self.rest = rest;
        Ok(taken)
    }

    fn wrong_type(&self, marker: u8) -> DecodeError {
        DecodeError::WrongType { field: self.field, marker }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: &str) {
        let decoded = MessagePack.decode(Frame::Binary(Bytes::copy_from_slice(bytes)));
        assert_eq!(decoded.unwrap_err().to_string(), expected, "{bytes:02x?}");
    }

    #[test]
    fn malformed_frames_name_what_is_wrong() {
        check(b"", "the frame ends inside its envelope");
        check(b"\xc0", "the envelope can't start with the byte 0xc0");
        check(b"\x93\x03\xa0\x00", "an envelope has 4 elements, not 3");
        check(b"\x95\x03\xa0\x00\xc4\x00\xc0", "an envelope has 4 elements, not 5");
        check(b"\x94", "the frame ends inside its kind");
        check(b"\x94\xff\xa0\x00\xc4\x00", "the kind can't start with the byte 0xff");
        check(b"\x94\xcd\x01\x00\xa0\x00\xc4\x00", "256 is too large for the kind");
        check(b"\x94\x03\xc4\x00\x00\xc4\x00", "the topic can't start with the byte 0xc4");
        check(b"\x94\x03\xa2a", "the frame ends inside its topic");
        check(b"\x94\x03\xa1\xff\x00\xc4\x00", "the topic is not UTF-8");
        check(b"\x94\x03\xdb\xff\xff\xff\xff", "the frame ends inside its topic");
        check(b"\x94\x03\xa0\xa0\xc4\x00", "the ref can't start with the byte 0xa0");
        check(b"\x94\x03\xa0\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xc4\x00", "4294967296 is too large for the ref");
        check(b"\x94\x03\xa0\x00\xa0", "the body can't start with the byte 0xa0");
        check(b"\x94\x03\xa0\x00\xc6\xff\xff\xff\xff", "the frame ends inside its body");
        check(b"\x94\x03\xa0\x00\xc4\x00\x00", "1 bytes follow the end");
        let mut long = b"\x94\x03\xda\x01\x00".to_vec();
        long.extend([b'x'; 256]);
        long.extend(b"\x00\xc4\x00");
        check(&long, "a topic of 256 bytes is longer than the 255 allowed: shorten its name");
        let text = MessagePack.decode(Frame::Text("{}".into())).unwrap_err();
        assert_eq!(text.to_string(), "expected a binary frame on this subprotocol");
    }

    #[test]
    fn any_width_of_a_number_is_read() {
        let wide = b"\xdd\x00\x00\x00\x04\xcf\x00\x00\x00\x00\x00\x00\x00\x03\xdb\x00\x00\x00\x01a\
            \xcd\x00\x07\xc6\x00\x00\x00\x02hi";
        let message = MessagePack.decode(Frame::Binary(Bytes::from_static(wide))).unwrap();
        let expected = Message::new(Kind::EVENT, Topic::new("a").unwrap(), Ref::new(7), "hi");
        assert_eq!(message, expected);
    }

    #[test]
    fn every_length_of_a_body_has_its_header() {
        for (len, header) in [
            (0, &b"\xc4\x00"[..]),
            (255, b"\xc4\xff"),
            (256, b"\xc5\x01\x00"),
            (65_535, b"\xc5\xff\xff"),
            (65_536, b"\xc6\x00\x01\x00\x00"),
        ] {
            let message = Message::new(Kind::UPLOAD, Topic::connection(), Ref::PUSH, vec![7; len]);
            let frame = MessagePack.encode(&message).unwrap();
            assert_eq!(&frame.as_bytes()[..4 + header.len()], [b"\x94\x0f\xa0\x00", header].concat());
            assert_eq!(MessagePack.decode(frame).unwrap(), message);
        }
    }

    #[test]
    fn a_body_does_not_pin_its_frame() {
        let message = Message::new(Kind::EVENT, Topic::connection(), Ref::PUSH, "hi");
        let bytes = MessagePack.encode(&message).unwrap().into_bytes();
        let decoded = MessagePack.decode(Frame::Binary(bytes.clone())).unwrap();
        let frame = bytes.as_ptr_range();
        assert!(!frame.contains(&decoded.body.as_ptr()));
    }

    proptest::proptest! {
        #[test]
        fn messages_survive_the_way(
            kind: u8, topic in "\\PC{0,60}", reference: u32, body: Vec<u8>,
        ) {
            let topic = Topic::new(topic).unwrap();
            let message = Message::new(Kind::from_code(kind), topic, Ref::new(reference), body);
            let frame = MessagePack.encode(&message).unwrap();
            proptest::prop_assert_eq!(MessagePack.decode(frame).unwrap(), message);
        }
    }
}
