//! Bombs, limits, and bodies that are what they say.

use std::io::Write;
use std::time::Duration;

use super::*;

fn limits() -> Limits {
    Limits { compressed: 1 << 20, body: 4 << 20, ratio: Some(100), items: 10, within: Duration::from_secs(5) }
}

fn gzip(plain: &[u8]) -> Bytes {
    let mut w = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    w.write_all(plain).unwrap();
    w.finish().unwrap().into()
}

#[test]
fn what_was_compressed_comes_back() {
    let plain: Vec<u8> =
        (0..200_000u32).flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
    let zstd = Bytes::from(zstd::bulk::compress(&plain, 1).unwrap());
    assert_eq!(decompress(Compression::Zstd, zstd, &limits()).unwrap(), plain);
    assert_eq!(decompress(Compression::Gzip, gzip(&plain), &limits()).unwrap(), plain);
    assert_eq!(decompress(Compression::None, plain.clone().into(), &limits()).unwrap(), plain);
}

#[test]
fn a_bomb_is_refused_before_it_is_held() {
    let zeros = vec![0; 40 << 20];
    let bomb = Bytes::from(zstd::bulk::compress(&zeros, 19).unwrap());
    assert!(matches!(decompress(Compression::Zstd, bomb, &limits()), Err(Error::Bomb { ratio: 100 })));
    let bomb = gzip(&zeros);
    assert!(decompress(Compression::Gzip, bomb.clone(), &limits()).is_err());
    let unbounded = Limits { ratio: None, ..limits() };
    let refused = decompress(Compression::Gzip, bomb, &unbounded).unwrap_err();
    assert_eq!(refused.status(), http::StatusCode::PAYLOAD_TOO_LARGE);
}

#[test]
fn damage_is_told() {
    let cut = gzip(b"hello hello hello").slice(..12);
    assert!(matches!(decompress(Compression::Gzip, cut, &limits()), Err(Error::Decompress { .. })));
    assert!(matches!(Compression::parse("br"), Err(Error::ContentEncoding(_))));
}

#[tokio::test]
async fn a_long_body_is_cut_off() {
    let body = http_body_util::Full::new(Bytes::from(vec![1; (1 << 20) + 1]));
    assert!(matches!(read(body, &limits()).await, Err(Error::TooLarge { .. })));
    let body = http_body_util::Full::new(Bytes::from_static(b"ok"));
    assert_eq!(read(body, &limits()).await.unwrap().as_ref(), b"ok");
}
