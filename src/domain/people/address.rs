//! The caller's network address, as far as rate limits use it: one IPv4 address, or one IPv6 /64.

use std::net::{IpAddr, Ipv6Addr};

/// The part of an address that one subscriber holds: the IPv4 address or the IPv6 /64, as text. Returns `None` if the
/// text is no address.
pub fn subscriber(address: &str) -> Option<String> {
    match address.parse::<IpAddr>().ok()? {
        IpAddr::V4(ip) => Some(ip.to_string()),
        IpAddr::V6(ip) => Some(match ip.to_ipv4_mapped() {
            Some(mapped) => mapped.to_string(),
            None => network_of(ip),
        }),
    }
}

fn network_of(ip: Ipv6Addr) -> String {
    let [a, b, c, d, ..] = ip.segments();
    format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::subscriber;

    #[test]
    fn an_ipv6_subscriber_is_a_slash_64() {
        for (address, expected) in [
            ("192.0.2.7", Some("192.0.2.7")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1:2::/64")),
            ("2001:db8:1:2:ffff::1", Some("2001:db8:1:2::/64")),
            ("::ffff:192.0.2.7", Some("192.0.2.7")),
            ("not an address", None),
            ("", None),
        ] {
            assert_eq!(subscriber(address).as_deref(), expected);
        }
    }
}
