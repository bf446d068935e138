//! Who a client is when proxies stand in between.

use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

use axum::http::HeaderMap;

/// The proxies whose `Forwarded` and `X-Forwarded-For` headers count.
///
/// Anyone can send these headers, so without trusted proxies they are ignored.
///
/// ```
/// use axum::http::HeaderMap;
/// use mizu::live::TrustedProxies;
///
/// let proxies: TrustedProxies = "10.0.0.0/8, ::1".parse()?;
/// let mut headers = HeaderMap::new();
/// headers.insert("x-forwarded-for", "203.0.113.9, 10.0.0.2".parse().unwrap());
///
/// let client = proxies.client("10.0.0.1".parse().unwrap(), &headers);
/// assert_eq!(client.ip().to_string(), "203.0.113.9");
/// assert!(client.is_forwarded());
/// # Ok::<(), mizu::live::ParseProxiesError>(())
/// ```
///
/// # Source
///
/// RFC 7239 (Forwarded).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

/// The address of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress {
    ip: IpAddr,
    forwarded: bool,
}

impl ClientAddress {
    /// The address, as the outermost trusted proxy saw it.
    ///
    /// ```
    /// # use mizu::live::TrustedProxies;
    /// # let client = TrustedProxies::none().client([127, 0, 0, 1].into(), &Default::default());
    /// assert!(client.ip().is_loopback());
    /// ```
    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    /// Whether a trusted proxy named the address. Otherwise it is the peer's own, which many clients may share, so
    /// that nothing is limited by it.
    ///
    /// ```
    /// # use mizu::live::TrustedProxies;
    /// # let client = TrustedProxies::none().client([127, 0, 0, 1].into(), &Default::default());
    /// assert!(!client.is_forwarded());
    /// ```
    pub fn is_forwarded(&self) -> bool {
        self.forwarded
    }
}

impl TrustedProxies {
    /// Trusts nobody: the default.
    ///
    /// ```
    /// # use mizu::live::TrustedProxies;
    /// assert!(TrustedProxies::none().is_empty());
    /// ```
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether nobody is trusted.
    ///
    /// ```
    /// # use mizu::live::TrustedProxies;
    /// assert!(!"10.0.0.0/8".parse::<TrustedProxies>().unwrap().is_empty());
    /// ```
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this address is a trusted proxy.
    ///
    /// ```
    /// # use mizu::live::TrustedProxies;
    /// let proxies: TrustedProxies = "10.0.0.0/8".parse().unwrap();
    /// assert!(proxies.trusts([10, 1, 2, 3].into()));
    /// assert!(!proxies.trusts([11, 1, 2, 3].into()));
    /// ```
    pub fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(address))
    }

    /// The client behind a peer: the last address in the headers that is no trusted proxy, if the peer is one.
    ///
    /// `Forwarded` goes before `X-Forwarded-For`. The walk ends at whatever is no address, since nothing before it
    /// can be trusted.
    ///
    /// ```
    /// # use axum::http::HeaderMap;
    /// # use mizu::live::TrustedProxies;
    /// let mut headers = HeaderMap::new();
    /// headers.insert("forwarded", "for=192.0.2.60;proto=http".parse().unwrap());
    /// let client = TrustedProxies::none().client([10, 0, 0, 1].into(), &headers);
    /// assert_eq!(client.ip().to_string(), "10.0.0.1");
    /// ```
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut client = ClientAddress { ip: peer.to_canonical(), forwarded: false };
        if !self.trusts(peer) {
            return client;
        }
        let chain = match headers.contains_key("forwarded") {
            true => addresses(headers, "forwarded", forwarded_for),
            false => addresses(headers, "x-forwarded-for", Some),
        };
        for address in chain.into_iter().rev() {
            let Some(ip) = address.and_then(parse_address) else {
                break;
            };
            client = ClientAddress { ip, forwarded: true };
            if !self.trusts(ip) {
                break;
            }
        }
        client
    }
}

/// The elements of a list header, in order, `None` where one is unreadable.
fn addresses<'a>(
    headers: &'a HeaderMap,
    name: &str,
    element: impl Fn(&'a str) -> Option<&'a str> + Copy,
) -> Vec<Option<&'a str>> {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| value.to_str().unwrap_or("?").split(','))
        .map(|text| element(text.trim()))
        .collect()
}

/// The `for` parameter of one element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// An address with or without port and brackets.
fn parse_address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|peer| peer.ip()));
    ip.ok().map(|ip| ip.to_canonical())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    fn contains(self, address: IpAddr) -> bool {
        let same = |a: u128, b: u128, bits: u32| {
            let shift = bits - self.prefix;
            shift == bits || a >> shift == b >> shift
        };
        match (self.address, address) {
            (IpAddr::V4(a), IpAddr::V4(b)) => same(a.to_bits().into(), b.to_bits().into(), 32),
            (IpAddr::V6(a), IpAddr::V6(b)) => same(a.to_bits(), b.to_bits(), 128),
            _ => false,
        }
    }
}

impl FromStr for TrustedProxies {
    type Err = ParseProxiesError;

    /// Reads addresses and networks (`10.0.0.0/8`), separated by commas.
    fn from_str(list: &str) -> Result<Self, ParseProxiesError> {
        let networks = list.split(',').map(str::trim).filter(|text| !text.is_empty()).map(|text| {
            let error = || ParseProxiesError::Network { text: text.to_owned() };
            let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
            let address = address.parse::<IpAddr>().map_err(|_| error())?;
            let bits = if address.is_ipv4() { 32 } else { 128 };
            let prefix = match prefix {
                None => bits,
                Some(prefix) => prefix.parse().ok().filter(|p| *p <= bits).ok_or_else(error)?,
            };
            Ok(Network { address, prefix })
        });
        networks.collect::<Result<_, _>>().map(Self)
    }
}

/// Why a text is no list of proxies.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseProxiesError {
    /// One element is no address and no network.
    #[error("{text:?} is no address and no network: write 10.0.0.1 or 10.0.0.0/8")]
    Network {
        /// The element.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[(&'static str, &str)], ip: &str, forwarded: bool) {
        let proxies: TrustedProxies = "10.0.0.0/8, fd00::/8".parse().unwrap();
        let map: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        let client = proxies.client("::ffff:10.0.0.1".parse().unwrap(), &map);
        assert_eq!((client.ip().to_string().as_str(), client.is_forwarded()), (ip, forwarded));
    }

    #[test]
    fn only_what_trusted_proxies_wrote_counts() {
        check(&[], "10.0.0.1", false);
        check(&[("x-forwarded-for", "1.1.1.1")], "1.1.1.1", true);
        check(&[("x-forwarded-for", "6.6.6.6, 1.1.1.1, 10.9.9.9")], "1.1.1.1", true);
        check(&[("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "1.1.1.1")], "1.1.1.1", true);
        check(&[("x-forwarded-for", "6.6.6.6, junk, 10.9.9.9")], "10.9.9.9", true);
        check(&[("x-forwarded-for", "junk")], "10.0.0.1", false);
        check(&[("x-forwarded-for", "1.1.1.1:4711")], "1.1.1.1", true);
        check(&[("forwarded", "for=1.1.1.1;proto=https, for=10.2.2.2")], "1.1.1.1", true);
        check(&[("forwarded", r#"proto=http;For="[2001:db8::1]:4711""#)], "2001:db8::1", true);
        check(&[("forwarded", r#"for="[2001:db8::1]""#)], "2001:db8::1", true);
        check(&[("forwarded", "for=unknown")], "10.0.0.1", false);
        check(&[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "6.6.6.6")], "1.1.1.1", true);
        check(&[("x-forwarded-for", "10.5.5.5, 10.6.6.6")], "10.5.5.5", true);
    }

    #[test]
    fn strangers_are_not_believed() {
        let proxies: TrustedProxies = "10.0.0.0/8".parse().unwrap();
        let headers = [("x-forwarded-for".parse().unwrap(), "6.6.6.6".parse().unwrap())];
        let client = proxies.client([192, 0, 2, 1].into(), &headers.into_iter().collect());
        assert_eq!((client.ip(), client.is_forwarded()), ([192, 0, 2, 1].into(), false));
    }

    #[test]
    fn networks_are_read_strictly() {
        for bad in ["10.0.0.0/33", "10.0.0/8", "x", "::1/129", "10.0.0.0/-1", "10.0.0.0/8/8"] {
            assert!(bad.parse::<TrustedProxies>().is_err(), "{bad}");
        }
        let all: TrustedProxies = "0.0.0.0/0,::/0".parse().unwrap();
        assert!(all.trusts([1, 2, 3, 4].into()) && all.trusts("2001:db8::1".parse().unwrap()));
        assert!("".parse::<TrustedProxies>().unwrap().is_empty());
    }
}
