//! Cursors of lines and tokens of pages: what is read is written the same, and everything else is refused.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

#[path = "../../server/src/logs/token.rs"]
#[expect(dead_code, reason = "the server's own, without the server: not all of it is looked at")]
mod token;

use token::{Cursor, PageToken};

/// Texts as they come, and bytes as the text of a cursor or token would hold them.
pub fn places(data: &[u8]) {
    let packed = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let mut sealed = data.to_vec();
    sealed.extend_from_slice(&(xxhash_rust::xxh3::xxh3_64(data) as u32).to_be_bytes());
    let pressed = zstd::bulk::compress(data, 1).unwrap_or_default();
    let mut texts = vec![
        format!("pc1_{}", packed(data)),
        // With the checksum that belongs to it.
        format!("pc1_{}", packed(&sealed)),
        format!("pp1_{}", packed(data)),
        // As JSON that was packed.
        format!("pp1_{}", packed(&pressed)),
    ];
    texts.extend(std::str::from_utf8(data).map(str::to_owned));
    for text in texts {
        if let Ok(named) = Cursor::parse(&text) {
            assert!(text.starts_with("pc1_"), "{text}");
            let own = Cursor {
                cluster: named.cluster,
                pod_uid: named.pod_uid.clone(),
                container: "app".into(),
                position: named.position,
            };
            let again = Cursor::parse(&own.to_text());
            assert_eq!(again.map(|n| (n.pod_uid, n.position)), Ok((named.pod_uid, named.position)));
        }
        if let Ok(token) = PageToken::parse(&text, 1) {
            assert_eq!(PageToken::parse(&token.to_text(), 1), Ok(token.clone()));
            assert!(PageToken::parse(&token.to_text(), 2).is_err(), "it is another query's, too");
        }
    }
}

pub(crate) const SEEDS: &[&[u8]] = &[
    b"",
    &[7; 60],
    b"pc1_AAAA",
    br#"{"query":1,"back":true,"at":{"a/b":{"f":{"run":0,"key":9,"offset":7,"rewind":0,"ns":5}},"c":"d"},"given":3}"#,
    br#"{"query":1,"back":false,"at":{"x":{"s":{"ns":5,"key":1,"offset":7,"past":true,"whole":false}},"y":{"t":{"ns":6,"whole":true}},"z":{"b":{"run":1,"key":2,"offset":3,"ns":4}}},"since":-1,"events":"t"}"#,
];
