//! Which form of a script a browser is sent.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;

/// The forms in which the script is at hand, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Brotli,
    Gzip,
    Identity,
}

impl Encoding {
    /// The form that the browser prefers; among equals the smallest.
    ///
    /// # Source
    ///
    /// RFC 9110, section 12.5.3. A browser that refuses everything gets the plain form, as the section allows.
    pub(super) fn negotiate(headers: &HeaderMap) -> Self {
        let accepted: Vec<(String, f32)> = headers
            .get_all(ACCEPT_ENCODING)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(coding)
            .collect();
        let quality = |name: &str| accepted.iter().find(|(coding, _)| coding == name).map(|(_, quality)| *quality);
        let of = |name: &str| quality(name).or_else(|| quality("*")).unwrap_or(0.0);
        let mut best = (Self::Identity, quality("identity").unwrap_or(f32::MIN_POSITIVE));
        for encoding in [Self::Gzip, Self::Brotli] {
            let quality = of(encoding.name().unwrap_or("identity"));
            if quality > 0.0 && quality >= best.1 {
                best = (encoding, quality);
            }
        }
        best.0
    }

    /// As `Content-Encoding` names it.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Brotli => Some("br"),
            Self::Gzip => Some("gzip"),
            Self::Identity => None,
        }
    }

    /// What tells the entity tags of the forms apart.
    pub(super) fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => "-br",
            Self::Gzip => "-gz",
            Self::Identity => "",
        }
    }
}

/// One element of `Accept-Encoding`: `gzip;q=0.5`. What can't be read as a quality refuses the coding.
fn coding(element: &str) -> (String, f32) {
    let mut parts = element.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default().to_ascii_lowercase();
    let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    (name, quality.map_or(1.0, |text| text.parse().unwrap_or(0.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_accepted_form_is_served() {
        #[track_caller]
        fn check(accept: &str, expected: Encoding) {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, accept.parse().unwrap());
            assert_eq!(Encoding::negotiate(&headers), expected, "{accept}");
        }
        check("gzip, deflate, br, zstd", Encoding::Brotli);
        check("gzip, deflate", Encoding::Gzip);
        check("br;q=0, gzip", Encoding::Gzip);
        check("br;q=0.0, gzip;q=0", Encoding::Identity);
        check("br;q=0.5, gzip;q=0.9", Encoding::Gzip);
        check("br;q=0.2, identity", Encoding::Identity);
        check("GZIP;Q=1", Encoding::Gzip);
        check("*", Encoding::Brotli);
        check("*;q=0", Encoding::Identity);
        check("br;q=0, *", Encoding::Gzip);
        check("br;q=nonsense", Encoding::Identity);
        check("", Encoding::Identity);
        assert_eq!(Encoding::negotiate(&HeaderMap::new()), Encoding::Identity);
    }
}
