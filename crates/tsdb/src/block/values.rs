//! Values of one series: a constant, scaled integers, or XOR of bits; the first form that gives back every bit.
//!
//! Scaled integers are `mantissa << shift` divided by a power of ten. Values that this form would change (negative
//! zero, NaN, infinities, long fractions) are listed apart with their bits, as long as they are at most one in 16.

use ph_model::Sample;

use crate::bits::{BitReader, BitWriter, Xor};
use crate::varint::{Reader, put, put_signed, width, zigzag};

pub(super) const CONSTANT: u8 = 0;
pub(super) const DELTA: u8 = 1;
pub(super) const CHANGE: u8 = 2;
pub(super) const XOR: u8 = 3;

/// One exception in so many values is allowed.
const EXCEPTION_SHARE: usize = 16;
const MAX_MANTISSA: i64 = 1 << 53;
/// Powers of ten; all are exact in f64.
const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// Appends the values of at least one sample, given as bits; gives the form.
pub(super) fn encode(values: &[u64], out: &mut Vec<u8>) -> u8 {
    let first = values.first().copied().unwrap_or(0);
    if values.iter().all(|v| *v == first) {
        out.extend_from_slice(&first.to_le_bytes());
        return CONSTANT;
    }
    if let Some(scaled) = Scaled::fit(values) {
        return scaled.encode(values, out);
    }
    out.extend_from_slice(&first.to_le_bytes());
    let (mut bits, mut xor) = (BitWriter::default(), Xor::new(first));
    for value in values.iter().skip(1) {
        if *value == xor.value {
            bits.push(0, 1);
        } else {
            bits.push(1, 1);
            xor.put(*value, &mut bits);
        }
    }
    out.extend_from_slice(&bits.bytes);
    XOR
}

/// Reads a value for each of the samples, at least one.
pub(super) fn decode(form: u8, samples: &mut [Sample], from: &mut Reader<'_>) -> Option<()> {
    match form {
        CONSTANT => {
            let value = f64::from_bits(from.u64()?);
            samples.iter_mut().for_each(|s| s.value = value);
            Some(())
        }
        DELTA | CHANGE => decode_scaled(form, samples, from),
        XOR => decode_xor(samples, from),
        _ => None,
    }
}

fn decode_xor(samples: &mut [Sample], from: &mut Reader<'_>) -> Option<()> {
    let mut xor = Xor::new(from.u64()?);
    let mut bits = BitReader::new(from.take(from.left())?);
    let (first, rest) = samples.split_first_mut()?;
    first.value = f64::from_bits(xor.value);
    for sample in rest {
        if bits.read(1)? == 1 {
            xor.next(&mut bits)?;
        }
        sample.value = f64::from_bits(xor.value);
    }
    Some(())
}

/// Integers and a power of ten that stand for a series' values.
struct Scaled {
    exponent: usize,
    /// One for each value; an exception repeats the one before it.
    mantissas: Vec<i64>,
    /// Positions of values that stand apart, ascending.
    exceptions: Vec<usize>,
}

/// The integer that stands for a value at a power of ten, if it gives back the same bits.
#[inline]
fn mantissa(bits: u64, exponent: usize) -> Option<i64> {
    let value = f64::from_bits(bits);
    let power = POWERS[exponent];
    let whole = if exponent == 0 { value as i64 } else { (value * power + 0.5_f64.copysign(value)) as i64 };
    let fits = exponent == 0 || (-MAX_MANTISSA..=MAX_MANTISSA).contains(&whole);
    (fits && restore(whole, power).to_bits() == bits).then_some(whole)
}

#[inline]
fn restore(mantissa: i64, power: f64) -> f64 {
    mantissa as f64 / power
}

impl Scaled {
    fn fit(values: &[u64]) -> Option<Self> {
        let allowed = values.len() / EXCEPTION_SHARE;
        let (mut exponent, mut misses) = (0, 0);
        for bits in values {
            match (exponent..POWERS.len()).find(|e| mantissa(*bits, *e).is_some()) {
                Some(needed) => exponent = needed,
                None => misses += 1,
            }
            if misses > allowed {
                return None;
            }
        }
        let mut fitted =
            Self { exponent, mantissas: Vec::with_capacity(values.len()), exceptions: Vec::new() };
        let mut before = 0;
        for (position, bits) in values.iter().enumerate() {
            match mantissa(*bits, exponent) {
                Some(whole) => before = whole,
                None => fitted.exceptions.push(position),
            }
            fitted.mantissas.push(before);
        }
        (fitted.exceptions.len() <= allowed).then_some(fitted)
    }

    fn encode(mut self, values: &[u64], out: &mut Vec<u8>) -> u8 {
        let shift = self.mantissas.iter().fold(0, |all, m| all | m).trailing_zeros() % 64;
        self.mantissas.iter_mut().for_each(|m| *m >>= shift);
        out.push(self.exponent as u8);
        out.push(shift as u8);
        put(out, self.exceptions.len() as u64);
        let mut after = 0;
        for position in &self.exceptions {
            put(out, (position - after) as u64);
            out.extend_from_slice(&values.get(*position).copied().unwrap_or(0).to_le_bytes());
            after = position + 1;
        }
        put_signed(out, self.mantissas.first().copied().unwrap_or(0));
        let (mut delta_size, mut change_size) = (0, 0);
        walk(&self.mantissas, |delta, change| {
            delta_size += width(zigzag(delta));
            change_size += width(zigzag(change));
        });
        if delta_size <= change_size {
            walk(&self.mantissas, |delta, _| put_signed(out, delta));
            return DELTA;
        }
        walk(&self.mantissas, |_, change| put_signed(out, change));
        CHANGE
    }
}

/// Visits first and second differences. Differences wrap.
fn walk(mantissas: &[i64], mut visit: impl FnMut(i64, i64)) {
    let mut before = 0_i64;
    for pair in mantissas.windows(2) {
        let delta = pair[1].wrapping_sub(pair[0]);
        visit(delta, delta.wrapping_sub(before));
        before = delta;
    }
}

fn decode_scaled(form: u8, samples: &mut [Sample], from: &mut Reader<'_>) -> Option<()> {
    let power = *POWERS.get(usize::from(from.byte()?))?;
    let shift = u32::from(from.byte()?);
    if shift > 63 {
        return None;
    }
    let mut exceptions = Vec::new();
    let mut position = 0_usize;
    for _ in 0..from.count()? {
        position = position.checked_add(usize::try_from(from.varint()?).ok()?)?;
        exceptions.push((position, from.u64()?));
        position = position.checked_add(1)?;
    }
    let (first, rest) = samples.split_first_mut()?;
    let (mut value, mut delta) = (from.signed()?, 0_i64);
    first.value = restore(value << shift, power);
    for sample in rest {
        let number = from.signed()?;
        delta = if form == DELTA { number } else { delta.wrapping_add(number) };
        value = value.wrapping_add(delta);
        sample.value = restore(value << shift, power);
    }
    for (position, bits) in exceptions {
        samples.get_mut(position)?.value = f64::from_bits(bits);
    }
    Some(())
}
