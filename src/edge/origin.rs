//! Which sites may talk to this server from a browser.

use axum::http::{HeaderMap, header};

/// Decides whether a request comes from a page of this site.
///
/// Browsers send cookies along with WebSocket handshakes and form posts from any site, and say in `Origin` and
/// `Sec-Fetch-Site` where they come from. A request of the same host passes, and one from a listed origin.
///
/// ```
/// use axum::http::HeaderMap;
/// use mizu::live::{Origins, Verdict};
///
/// let origins = Origins::same_host().allow("https://app.example.com");
/// let mut headers = HeaderMap::new();
/// assert_eq!(origins.check(&headers), Verdict::Unknown);
///
/// headers.insert("host", "example.com".parse().unwrap());
/// headers.insert("origin", "https://evil.example".parse().unwrap());
/// assert_eq!(origins.check(&headers), Verdict::CrossSite);
///
/// headers.insert("origin", "https://app.example.com".parse().unwrap());
/// assert_eq!(origins.check(&headers), Verdict::SameSite);
/// ```
///
/// # Source
///
/// RFC 6454 (Origin), W3C Fetch Metadata Request Headers (Sec-Fetch-Site).
#[derive(Debug, Clone, Default)]
pub struct Origins {
    allowed: Vec<Box<str>>,
}

/// What [`Origins::check`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// From this site, or a listed one.
    SameSite,
    /// From another site: refuse it.
    CrossSite,
    /// Neither header was there: no browser, or a very old one. Ask for something another site can't know.
    Unknown,
}

impl Origins {
    /// Only the host the request itself names.
    ///
    /// ```
    /// # use mizu::live::Origins;
    /// let origins = Origins::same_host();
    /// # let _ = origins;
    /// ```
    pub fn same_host() -> Self {
        Self::default()
    }

    /// Allows one more origin, for example `https://app.example.com`.
    ///
    /// # Shape
    ///
    /// `scheme://host[:port]`, as browsers send it; case and a final slash don't matter.
    ///
    /// ```
    /// # use mizu::live::Origins;
    /// let origins = Origins::same_host().allow("https://a.example").allow("http://localhost:5173");
    /// # let _ = origins;
    /// ```
    #[must_use]
    pub fn allow(mut self, origin: &str) -> Self {
        self.allowed.push(origin.trim_end_matches('/').to_ascii_lowercase().into());
        self
    }

    /// Decides about a request by its headers.
    ///
    /// `Origin` decides where it is there: it must be listed, or name the host and port of `Host`. Otherwise
    /// `Sec-Fetch-Site` must be `same-origin` or `none`.
    ///
    /// ```
    /// # use axum::http::HeaderMap;
    /// # use mizu::live::{Origins, Verdict};
    /// let mut headers = HeaderMap::new();
    /// headers.insert("sec-fetch-site", "cross-site".parse().unwrap());
    /// assert_eq!(Origins::same_host().check(&headers), Verdict::CrossSite);
    /// ```
    pub fn check(&self, headers: &HeaderMap) -> Verdict {
        let mut origins = headers.get_all(header::ORIGIN).iter();
        match (origins.next(), origins.next()) {
            (Some(origin), None) => {
                let host = headers.get(header::HOST).map(|host| host.as_bytes());
                match origin.to_str() {
                    Ok(origin) if self.admits(origin, host) => Verdict::SameSite,
                    _ => Verdict::CrossSite,
                }
            }
            (Some(_), Some(_)) => Verdict::CrossSite,
            (None, _) => match headers.get("sec-fetch-site").map(|site| site.as_bytes()) {
                None => Verdict::Unknown,
                Some(b"same-origin" | b"none") => Verdict::SameSite,
                Some(_) => Verdict::CrossSite,
            },
        }
    }

    fn admits(&self, origin: &str, host: Option<&[u8]>) -> bool {
        if self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) {
            return true;
        }
        let Some((scheme, authority)) = origin.split_once("://") else {
            return false;
        };
        let Some(host) = host.and_then(|host| std::str::from_utf8(host).ok()) else {
            return false;
        };
        let default_port = match scheme {
            "http" => ":80",
            "https" => ":443",
            _ => return false,
        };
        // Browsers leave the default port out of both headers, other agents may not.
        let bare = |text: &str| text.strip_suffix(default_port).unwrap_or(text).to_ascii_lowercase();
        !host.is_empty() && bare(authority) == bare(host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &str)], expected: Verdict) {
        let origins = Origins::same_host().allow("https://Good.example/");
        let map: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        assert_eq!(origins.check(&map), expected, "{headers:?}");
    }

    #[test]
    fn origin_decides_then_fetch_metadata() {
        use Verdict::{CrossSite, SameSite, Unknown};
        let host = ("host", "a.example");
        check(&[host], Unknown);
        for same in ["https://a.example", "http://a.example", "https://A.example", "http://a.example:80"] {
            check(&[host, ("origin", same)], SameSite);
        }
        for cross in [
            "https://b.example",
            "https://a.example.evil",
            "https://a.example:8443",
            "http://a.example:443",
            "https://sub.a.example",
            "https://a.example@evil.example",
            "null",
            "",
            "file://",
            "a.example",
            "chrome-extension://a.example",
        ] {
            check(&[host, ("origin", cross)], CrossSite);
        }
        check(&[("host", "a.example:3000"), ("origin", "http://a.example:3000")], SameSite);
        check(&[("host", "a.example:3000"), ("origin", "http://a.example")], CrossSite);
        check(&[("host", "[::1]:3000"), ("origin", "http://[::1]:3000")], SameSite);
        check(&[host, ("origin", "https://good.example")], SameSite);
        check(&[("origin", "https://a.example")], CrossSite);
        check(&[("host", ""), ("origin", "https://")], CrossSite);
        check(&[host, ("origin", "https://a.example"), ("origin", "https://b.example")], CrossSite);
        check(&[host, ("sec-fetch-site", "same-origin")], SameSite);
        check(&[host, ("sec-fetch-site", "none")], SameSite);
        check(&[host, ("sec-fetch-site", "same-site")], CrossSite);
        check(&[host, ("sec-fetch-site", "cross-site")], CrossSite);
        let other = ("origin", "https://b.example");
        check(&[host, other, ("sec-fetch-site", "same-origin")], CrossSite);
    }
}
