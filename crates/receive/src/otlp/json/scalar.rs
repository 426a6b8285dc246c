//! Numbers, texts and bytes as protobuf's JSON mapping writes them.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Unexpected, Visitor};
use serde_json::value::RawValue;

use super::Cx;

const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// A field's name.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Cow<'de, str>, D::Error> {
        d.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, s: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(s))
    }

    fn visit_str<E>(self, s: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(s.to_owned()))
    }
}

/// A value that is written as one JSON scalar.
pub(super) trait Scalar: Sized + Default {
    const EXPECTED: &'static str;

    fn of_u64(n: u64) -> Option<Self>;
    fn of_i64(n: i64) -> Option<Self>;
    fn of_f64(n: f64) -> Option<Self>;
    fn of_str(s: &str) -> Option<Self>;
    fn of_bool(_: bool) -> Option<Self> {
        None
    }

    /// `None` for `null`.
    fn read<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Self>, D::Error> {
        d.deserialize_any(One(PhantomData))
    }
}

macro_rules! integer {
    ($($type:ty),*) => {$(
        impl Scalar for $type {
            const EXPECTED: &'static str = concat!("a number, or one in quotes, that fits ", stringify!($type));

            fn of_u64(n: u64) -> Option<Self> {
                Self::try_from(n).ok()
            }
            fn of_i64(n: i64) -> Option<Self> {
                Self::try_from(n).ok()
            }
            fn of_f64(n: f64) -> Option<Self> {
                // Written as `1e3` or `5.0`: whole numbers that a double holds exactly.
                (n.fract() == 0.0 && n.abs() <= 9_007_199_254_740_992.0).then_some(n as i64).and_then(Self::of_i64)
            }
            fn of_str(s: &str) -> Option<Self> {
                s.parse().ok().or_else(|| Self::of_f64(s.parse().ok()?))
            }
        }
    )*};
}
integer!(u64, i64, u32, i32);

impl Scalar for f64 {
    const EXPECTED: &'static str = "a number, or `NaN`, `Infinity`, `-Infinity`";

    fn of_u64(n: u64) -> Option<Self> {
        Some(n as f64)
    }
    fn of_i64(n: i64) -> Option<Self> {
        Some(n as f64)
    }
    fn of_f64(n: f64) -> Option<Self> {
        Some(n)
    }
    fn of_str(s: &str) -> Option<Self> {
        match s {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => s.parse().ok().filter(|n: &f64| n.is_finite()),
        }
    }

    /// From the text itself: the reader's own way to a double is off by a bit for some.
    fn read<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Self>, D::Error> {
        let text = <&RawValue>::deserialize(d)?.get();
        let wrong = || {
            D::Error::custom(format!(
                "`{}` is not {}",
                text.chars().take(40).collect::<String>(),
                Self::EXPECTED
            ))
        };
        let bare = text.strip_prefix('"').and_then(|t| t.strip_suffix('"'));
        match text {
            "null" => Ok(None),
            _ => bare.map_or_else(|| text.parse().ok(), Self::of_str).map(Some).ok_or_else(wrong),
        }
    }
}

impl Scalar for bool {
    const EXPECTED: &'static str = "true or false";

    fn of_u64(_: u64) -> Option<Self> {
        None
    }
    fn of_i64(_: i64) -> Option<Self> {
        None
    }
    fn of_f64(_: f64) -> Option<Self> {
        None
    }
    fn of_str(s: &str) -> Option<Self> {
        s.parse().ok()
    }
    fn of_bool(b: bool) -> Option<Self> {
        Some(b)
    }
}

impl Scalar for String {
    const EXPECTED: &'static str = "a string";

    fn of_u64(_: u64) -> Option<Self> {
        None
    }
    fn of_i64(_: i64) -> Option<Self> {
        None
    }
    fn of_f64(_: f64) -> Option<Self> {
        None
    }
    fn of_str(s: &str) -> Option<Self> {
        Some(s.to_owned())
    }
}

/// Bytes in hex, as trace and span ids are.
#[derive(Default)]
pub(super) struct Hex(pub Vec<u8>);

impl Scalar for Hex {
    const EXPECTED: &'static str = "an id in hex digits";

    fn of_u64(_: u64) -> Option<Self> {
        None
    }
    fn of_i64(_: i64) -> Option<Self> {
        None
    }
    fn of_f64(_: f64) -> Option<Self> {
        None
    }
    fn of_str(s: &str) -> Option<Self> {
        hex::decode(s).ok().map(Hex)
    }
}

/// Bytes in base64 of either alphabet, padded or not.
#[derive(Default)]
pub(super) struct Base64(pub Vec<u8>);

impl Scalar for Base64 {
    const EXPECTED: &'static str = "bytes in base64";

    fn of_u64(_: u64) -> Option<Self> {
        None
    }
    fn of_i64(_: i64) -> Option<Self> {
        None
    }
    fn of_f64(_: f64) -> Option<Self> {
        None
    }
    fn of_str(s: &str) -> Option<Self> {
        BASE64.decode(s).or_else(|_| BASE64_URL.decode(s)).ok().map(Base64)
    }
}

/// One scalar; `null` is the default.
struct One<T>(PhantomData<T>);

impl<'de, T: Scalar> DeserializeSeed<'de> for One<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Option<T>, D::Error> {
        T::read(d)
    }
}

impl<T: Scalar> Visitor<'_> for One<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED)
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_bool<E: serde::de::Error>(self, b: bool) -> Result<Option<T>, E> {
        T::of_bool(b).map(Some).ok_or_else(|| E::invalid_value(Unexpected::Bool(b), &self))
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<Option<T>, E> {
        T::of_u64(n).map(Some).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(n), &self))
    }

    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<Option<T>, E> {
        T::of_i64(n).map(Some).ok_or_else(|| E::invalid_value(Unexpected::Signed(n), &self))
    }

    fn visit_f64<E: serde::de::Error>(self, n: f64) -> Result<Option<T>, E> {
        T::of_f64(n).map(Some).ok_or_else(|| E::invalid_value(Unexpected::Float(n), &self))
    }

    fn visit_str<E: serde::de::Error>(self, s: &str) -> Result<Option<T>, E> {
        T::of_str(s).map(Some).ok_or_else(|| {
            let shown: String = s.chars().take(40).collect();
            E::invalid_value(Unexpected::Str(&shown), &self)
        })
    }
}

/// The next value, `None` for `null`.
pub(super) fn maybe<'de, T: Scalar, A: MapAccess<'de>>(map: &mut A) -> Result<Option<T>, A::Error> {
    map.next_value_seed(One(PhantomData))
}

/// The next value, its default for `null`.
pub(super) fn scalar<'de, T: Scalar, A: MapAccess<'de>>(map: &mut A) -> Result<T, A::Error> {
    maybe(map).map(Option::unwrap_or_default)
}

/// A list of scalars.
struct Many<T>(PhantomData<T>);

impl<'de, T: Scalar> DeserializeSeed<'de> for Many<T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<Vec<T>, D::Error> {
        d.deserialize_any(self)
    }
}

impl<'de, T: Scalar> Visitor<'de> for Many<T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an array, each {}", T::EXPECTED)
    }

    fn visit_unit<E>(self) -> Result<Vec<T>, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element_seed(One::<T>(PhantomData))? {
            all.push(one.ok_or_else(|| A::Error::invalid_type(Unexpected::Unit, &T::EXPECTED))?);
        }
        Ok(all)
    }
}

pub(super) fn scalars<'de, T: Scalar, A: MapAccess<'de>>(map: &mut A) -> Result<Vec<T>, A::Error> {
    map.next_value_seed(Many(PhantomData))
}

/// An enum as number or name; a name that nobody knows is 0 and noted.
struct Enum<'a>(&'a Cx, fn(&str) -> Option<i32>);

impl<'de> DeserializeSeed<'de> for Enum<'_> {
    type Value = i32;

    fn deserialize<D: Deserializer<'de>>(self, d: D) -> Result<i32, D::Error> {
        d.deserialize_any(self)
    }
}

impl Visitor<'_> for Enum<'_> {
    type Value = i32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an enum's number or name")
    }

    fn visit_unit<E>(self) -> Result<i32, E> {
        Ok(0)
    }

    fn visit_u64<E: serde::de::Error>(self, n: u64) -> Result<i32, E> {
        i32::try_from(n).map_err(|_| E::invalid_value(Unexpected::Unsigned(n), &self))
    }

    fn visit_i64<E: serde::de::Error>(self, n: i64) -> Result<i32, E> {
        i32::try_from(n).map_err(|_| E::invalid_value(Unexpected::Signed(n), &self))
    }

    fn visit_str<E>(self, s: &str) -> Result<i32, E> {
        let known = (self.1)(s).or_else(|| s.parse().ok());
        Ok(known.unwrap_or_else(|| {
            self.0.unknown(s);
            0
        }))
    }
}

pub(super) fn enumeration<'de, A: MapAccess<'de>>(
    map: &mut A,
    cx: &Cx,
    names: fn(&str) -> Option<i32>,
) -> Result<i32, A::Error> {
    map.next_value_seed(Enum(cx, names))
}
