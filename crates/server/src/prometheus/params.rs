//! Parameters of a request: those of the address, then those of a form.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::header;
use url::form_urlencoded;

use super::envelope::Fault;

/// Names and values in the order given; a form's come before the address', as in Prometheus.
#[derive(Debug, Default)]
pub struct Form(Vec<(String, String)>);

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Fault;

    async fn from_request(request: Request, state: &S) -> Result<Self, Fault> {
        let query = request.uri().query().unwrap_or_default().to_owned();
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
        let is_form = kind.starts_with("application/x-www-form-urlencoded");
        let body = match is_form {
            true => Bytes::from_request(request, state)
                .await
                .map_err(|e| Fault::bad_data(format!("the form cannot be read: {e}")))?,
            false => Bytes::new(),
        };
        let pairs = form_urlencoded::parse(&body).chain(form_urlencoded::parse(query.as_bytes()));
        Ok(Self(pairs.map(|(n, v)| (n.into_owned(), v.into_owned())).collect()))
    }
}

impl Form {
    /// The first value that is not empty.
    pub fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A time in ms: RFC 3339, or seconds since 1970 with decimals.
    pub fn time(&self, name: &str) -> Result<Option<i64>, Fault> {
        let Some(text) = self.one(name) else { return Ok(None) };
        time(text)
            .map(Some)
            .ok_or_else(|| Fault::parameter(name, format!("cannot parse {text:?} to a valid timestamp")))
    }

    /// A length in ms: a duration, or seconds with decimals.
    pub fn duration(&self, name: &str) -> Result<Option<i64>, Fault> {
        let Some(text) = self.one(name) else { return Ok(None) };
        duration(text)
            .map(Some)
            .ok_or_else(|| Fault::parameter(name, format!("cannot parse {text:?} to a valid duration")))
    }

    /// 0 when it is not given: no limit.
    pub fn limit(&self) -> Result<usize, Fault> {
        self.one("limit").map_or(Ok(0), |text| {
            text.parse().map_err(|_| Fault::parameter("limit", "limit must be a number from 0"))
        })
    }
}

/// Times that have no bound in Prometheus are kept within what a date can say: the years 0 to 9999.
const BOUND_MS: i64 = 253_402_300_799_999;

fn time(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        return seconds.is_finite().then(|| ((seconds * 1000.0).round() as i64).clamp(-BOUND_MS, BOUND_MS));
    }
    text.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

fn duration(text: &str) -> Option<i64> {
    if let Ok(seconds) = text.parse::<f64>() {
        let ms = seconds * 1000.0;
        return (ms.is_finite() && ms.abs() < i64::MAX as f64 / 1e6).then_some(ms as i64);
    }
    ph_promql::parse_duration(text).and_then(|ms| i64::try_from(ms).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_durations_read_both_ways() {
        assert_eq!(time("1435781430.781"), Some(1_435_781_430_781));
        assert_eq!(time("2015-07-01T20:10:30.781Z"), Some(1_435_781_430_781));
        assert_eq!(time("2015-07-01T22:10:30.781+02:00"), Some(1_435_781_430_781));
        assert_eq!(time("yesterday"), None);
        assert_eq!(time("NaN"), None);
        assert_eq!(duration("1.5"), Some(1500));
        assert_eq!(duration("1h30m"), Some(5_400_000));
        assert_eq!(duration("1x"), None);
    }
}
