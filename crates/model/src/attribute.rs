//! OpenTelemetry attribute values, with their types kept.

/// An attribute's value. Arrays and maps nest at most 64 deep; decoders refuse more.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Value {
    Bool(bool),
    Int(i64),
    Double(f64),
    Str(String),
    Bytes(Vec<u8>),
    Array(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The text of a string value, else `None`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(s) => Some(s),
            _ => None,
        }
    }

    /// A text form of any value: strings as they are, arrays and maps as JSON, bytes in hex.
    pub fn to_text(&self) -> String {
        match self {
            Value::Str(s) => s.clone(),
            Value::Bool(b) => b.to_string(),
            Value::Int(i) => i.to_string(),
            Value::Double(d) => d.to_string(),
            Value::Bytes(b) => b.iter().map(|x| format!("{x:02x}")).collect(),
            Value::Array(_) | Value::Map(_) => self.to_json().to_string(),
        }
    }

    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Value::Bool(b) => (*b).into(),
            Value::Int(i) => (*i).into(),
            Value::Double(d) => serde_json::Number::from_f64(*d).map_or(serde_json::Value::Null, Into::into),
            Value::Str(s) => s.clone().into(),
            Value::Bytes(_) => self.to_text().into(),
            Value::Array(a) => a.iter().map(Value::to_json).collect(),
            Value::Map(m) => {
                serde_json::Value::Object(m.iter().map(|(k, v)| (k.clone(), v.to_json())).collect())
            }
        }
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::Str(s.to_owned())
    }
}
impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::Str(s)
    }
}
impl From<i64> for Value {
    fn from(i: i64) -> Self {
        Value::Int(i)
    }
}
impl From<f64> for Value {
    fn from(d: f64) -> Self {
        Value::Double(d)
    }
}
impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

/// Attributes in ascending order of key, each key once.
#[derive(Clone, Debug, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Attributes(Vec<(String, Value)>);

impl Attributes {
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a key, replacing its value when it is there.
    pub fn set(&mut self, key: impl Into<String>, value: impl Into<Value>) {
        let (key, value) = (key.into(), value.into());
        match self.0.binary_search_by(|(k, _)| k.as_str().cmp(&key)) {
            Ok(i) => self.0[i].1 = value,
            Err(i) => self.0.insert(i, (key, value)),
        }
    }

    pub fn value(&self, key: &str) -> Option<&Value> {
        self.0.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok().map(|i| &self.0[i].1)
    }

    /// The text of a string attribute, else `None`.
    pub fn text(&self, key: &str) -> Option<&str> {
        self.value(key).and_then(Value::as_str)
    }

    /// Removes a key and gives its value.
    pub fn take(&mut self, key: &str) -> Option<Value> {
        let i = self.0.binary_search_by(|(k, _)| k.as_str().cmp(key)).ok()?;
        Some(self.0.remove(i).1)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of two with one key the last stays.
impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Attributes {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(iter: T) -> Self {
        let mut all: Vec<(String, Value)> = iter.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        if !all.is_sorted_by(|(a, _), (b, _)| a < b) {
            // Not one by one: in some orders each would move all that are there.
            all.sort_by(|(a, _), (b, _)| a.cmp(b));
            all.dedup_by(|later, kept| {
                let same = later.0 == kept.0;
                if same {
                    std::mem::swap(later, kept);
                }
                same
            });
        }
        Self(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_with_one_key_the_last_stays_whatever_their_order() {
        let given = [("c", 1_i64), ("a", 2), ("c", 3), ("b", 4), ("a", 5), ("c", 6)];
        let mut one_by_one = Attributes::new();
        given.iter().for_each(|(key, value)| one_by_one.set(*key, *value));
        assert_eq!(given.into_iter().collect::<Attributes>(), one_by_one);
        let found: Vec<(String, String)> =
            one_by_one.iter().map(|(k, v)| (k.to_owned(), v.to_text())).collect();
        assert_eq!(found, [("a", "5"), ("b", "4"), ("c", "6")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    /// One by one each of these would move all before it: half a million million moves.
    #[test]
    fn many_that_descend_are_taken_at_once() {
        let many: Attributes = (0..1_000_000_i64).rev().map(|n| (format!("{n:07}"), n)).collect();
        assert_eq!((many.len(), many.value("0999999")), (1_000_000, Some(&Value::Int(999_999))));
    }
}
